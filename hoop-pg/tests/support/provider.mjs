// A real OpenID provider on this machine: says where it is and a token for a client of its own, and ends with its input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const key = (type, options, alg, kid) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, kid, use: 'sig',
});
const server = createServer().listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'job-1', client_secret: 'known to nobody else', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    }],
    jwks: {
      keys: [key('rsa', { modulusLength: 2048 }, 'RS256', 'r'), key('ec', { namedCurve: 'P-256' }, 'ES256', 'e')],
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'urn:hoop',
        getResourceServerInfo: () => ({
          audience: 'hoop', scope: 'use', accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    extraTokenClaims: () => ({ groups: ['team'] }),
  });
  server.on('request', provider.callback());
  const { jwks_uri, token_endpoint } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const answer = await fetch(token_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('job-1:known%20to%20nobody%20else')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'use' }),
  });
  const { access_token } = await answer.json();
  process.stdout.write(`${JSON.stringify({ issuer, jwks_uri, access_token })}\n`);
});
process.stdin.on('end', () => process.exit()).resume();
