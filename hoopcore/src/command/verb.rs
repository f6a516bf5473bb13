//! Verbs: for each protocol the closed list of words that its rules are written in.

/// The verbs of one protocol.
pub trait Verbs: Copy + Eq + 'static {
    /// Every verb, in the order of the policy language's reference; at most 32.
    const ALL: &'static [Self];
    /// The verb of what an analysis could not read.
    const UNKNOWN: Self;

    /// The word of the policy language.
    fn word(self) -> &'static str;

    /// Its place in [`Verbs::ALL`], which an index by verbs may use.
    fn place(self) -> u32;
}

/// Declares the verbs of a protocol: an enumeration with their words, the last of which is `Unknown`.
macro_rules! verbs {
    ($(#[$meta:meta])* pub enum $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the words of the policy language, explained in its reference")]
        pub enum $name {
            $($variant,)+
        }

        impl $name {
            /// Every verb, in the order of the policy language's reference.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The word of the policy language.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::command::Verbs for $name {
            const ALL: &'static [Self] = &$name::ALL;
            const UNKNOWN: Self = Self::Unknown;

            fn word(self) -> &'static str {
                self.word()
            }

            fn place(self) -> u32 {
                self as u32
            }
        }
    };
}

pub(super) use verbs;
