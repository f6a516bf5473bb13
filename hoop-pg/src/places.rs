//! Places for the clients of one listener: who has not shown who it is takes none from those who have, and nobody all of
//! those for requests to cancel.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoop_runtime::config::ClientLimits;

use crate::sources::counted;

/// How many clients are let in, all in all, that may only cancel.
const SPARE: usize = 64;
/// How many of these from one address.
const SPARE_PER_ADDRESS: usize = 16;

/// The places of one listener.
#[derive(Debug)]
pub(crate) struct Places {
    limits: ClientLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    clients: usize,
    unknown: Unknown,
    by_address: HashMap<IpAddr, Unknown>,
}

/// Clients that have not shown who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unknown {
    logins: usize,
    spare: usize,
}

/// A client's place; dropping it gives the place up.
#[derive(Debug)]
pub(crate) struct Place {
    among: Arc<Places>,
    address: Option<IpAddr>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of a client that may show who it is.
    Login,
    /// Of a client that did.
    Known,
    /// Of a client that may only cancel.
    Spare,
}

impl Places {
    pub(crate) fn new(limits: ClientLimits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// A place for a client from there. `None` where not even one is left to cancel.
    pub(crate) fn take(self: &Arc<Self>, source: Option<IpAddr>) -> Option<Place> {
        let address = source.map(counted);
        let mut taken = self.taken();
        let kind = self.kind(&taken, address)?;
        taken.count(kind, address);
        Some(Place { among: Arc::clone(self), address, kind })
    }

    fn kind(&self, taken: &Taken, address: Option<IpAddr>) -> Option<Kind> {
        let ClientLimits { clients, logins, logins_per_address } = self.limits;
        // Who comes over a Unix socket has no address, and the socket's mode says who may.
        let from_there = address.and_then(|address| taken.by_address.get(&address).copied()).unwrap_or_default();
        let is_room = taken.clients < clients && taken.unknown.logins < logins;
        if is_room && from_there.logins < logins_per_address {
            return Some(Kind::Login);
        }
        (taken.unknown.spare < SPARE && from_there.spare < SPARE_PER_ADDRESS).then_some(Kind::Spare)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn count(&mut self, kind: Kind, address: Option<IpAddr>) {
        match kind {
            Kind::Login | Kind::Known => self.clients += 1,
            Kind::Spare => {}
        }
        self.unknown.count(kind);
        if let Some(address) = address {
            self.by_address.entry(address).or_default().count(kind);
        }
    }

    fn give_back(&mut self, kind: Kind, address: Option<IpAddr>) {
        match kind {
            Kind::Login | Kind::Known => self.clients = self.clients.saturating_sub(1),
            Kind::Spare => {}
        }
        self.forget(kind, address);
    }

    /// No longer counts a client as unknown.
    fn forget(&mut self, kind: Kind, address: Option<IpAddr>) {
        self.unknown.give_back(kind);
        if let Some(Entry::Occupied(mut from_there)) = address.map(|address| self.by_address.entry(address)) {
            from_there.get_mut().give_back(kind);
            if *from_there.get() == Unknown::default() {
                from_there.remove();
            }
        }
    }
}

impl Unknown {
    fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Login => self.logins += 1,
            Kind::Spare => self.spare += 1,
            Kind::Known => {}
        }
    }

    fn give_back(&mut self, kind: Kind) {
        match kind {
            Kind::Login => self.logins = self.logins.saturating_sub(1),
            Kind::Spare => self.spare = self.spare.saturating_sub(1),
            Kind::Known => {}
        }
    }
}

impl Place {
    /// Whether the client may log in; otherwise it may only cancel.
    pub(crate) fn may_log_in(&self) -> bool {
        match self.kind {
            Kind::Login | Kind::Known => true,
            Kind::Spare => false,
        }
    }

    /// The client showed who it is.
    pub(crate) fn is_known(&mut self) {
        self.among.taken().forget(self.kind, self.address);
        self.kind = match self.kind {
            Kind::Login | Kind::Known => Kind::Known,
            Kind::Spare => Kind::Spare,
        };
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.among.taken().give_back(self.kind, self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn places(clients: usize, logins: usize, logins_per_address: usize) -> Arc<Places> {
        Places::new(ClientLimits { clients, logins, logins_per_address })
    }

    /// What so many get who come from there one after the other: `l`ogin, `c`ancel, or nothing.
    fn come(places: &Arc<Places>, source: Option<IpAddr>, often: usize) -> (String, Vec<Place>) {
        let taken: Vec<Option<Place>> = (0..often).map(|_| places.take(source)).collect();
        let told =
            |place: &Option<Place>| place.as_ref().map_or('-', |place| if place.may_log_in() { 'l' } else { 'c' });
        (taken.iter().map(told).collect(), taken.into_iter().flatten().collect())
    }

    #[test]
    fn one_address_does_not_take_all_places() {
        let all = places(100, 5, 3);
        let (told, first) = come(&all, address("10.0.0.1"), 20);
        assert_eq!(told, "lllcccccccccccccccc-");
        assert_eq!(come(&all, address("::ffff:10.0.0.1"), 1).0, "-");
        let (told, _second) = come(&all, address("10.0.0.2"), 3);
        assert_eq!(told, "llc", "the listener has five");
        drop(first);
        assert_eq!(come(&all, address("10.0.0.1"), 4).0, "lllc");
    }

    #[test]
    fn a_network_is_one_address_and_a_unix_socket_none() {
        let all = places(100, 50, 2);
        let (_, _one) = come(&all, address("2001:db8::1"), 2);
        assert_eq!(come(&all, address("2001:db8::2"), 1).0, "c");
        assert_eq!(come(&all, address("2001:db8:0:1::2"), 1).0, "l");
        assert_eq!(come(&all, None, 4).0, "llll");
    }

    #[test]
    fn who_is_known_makes_room_for_others_to_log_in() {
        let all = places(3, 2, 1);
        let (_, mut known) = come(&all, address("10.0.0.1"), 1);
        for turn in ["l", "l", "c"] {
            known.iter_mut().for_each(Place::is_known);
            let (told, more) = come(&all, address("10.0.0.1"), 1);
            assert_eq!(told, turn);
            known.extend(more);
        }
        drop(known);
        let taken = all.taken();
        assert_eq!((taken.clients, taken.unknown), (0, Unknown::default()));
        assert!(taken.by_address.is_empty());
    }

    #[test]
    fn places_to_cancel_are_few_too() {
        let all = places(1, 1, 1);
        let (_, _one) = come(&all, None, 1);
        let came: Vec<(String, Vec<Place>)> =
            (1..=5).map(|host| come(&all, address(&format!("10.0.0.{host}")), 17)).collect();
        let told: Vec<&str> = came.iter().map(|(told, _)| told.as_str()).collect();
        let sixteen = format!("{}-", "c".repeat(16));
        assert_eq!(told, [&sixteen[..], &sixteen, &sixteen, &sixteen, &"-".repeat(17)]);
    }
}
