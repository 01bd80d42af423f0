// An OpenID provider on loopback: node server.js PORT CLIENTS ACCOUNTS
//
// CLIENTS is a list of client metadata, ACCOUNTS maps a subject to its claims, both JSON. Nobody is
// asked anything: the account is the authorization request's login_hint, or the first one; one that
// is not there says no.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const [port, clients, accounts] = process.argv.slice(2).map((text) => JSON.parse(text))
const issuer = `http://127.0.0.1:${port}`

function key (kid, ...kind) {
  const { privateKey } = generateKeyPairSync(...kind)
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig' }
}

const provider = new Provider(issuer, {
  clients,
  jwks: {
    keys: [
      key('rsa', 'rsa', { modulusLength: 2048 }),
      key('ec', 'ec', { namedCurve: 'P-256' }),
      key('ed', 'ed25519')
    ]
  },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  interactions: { url: (_, { uid }) => `/interaction/${uid}` },
  pkce: { required: () => true },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 }
})

async function interact (request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  const accountId = params.login_hint ?? Object.keys(accounts)[0]
  let result
  if (!accounts[accountId]) {
    result = { error: 'access_denied', error_description: 'the person said no' }
  } else if (prompt.name === 'login') {
    result = { login: { accountId } }
  } else {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
    grant.addOIDCScope(params.scope)
    result = { consent: { grantId: await grant.save() } }
  }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
}

const answer = provider.callback()
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response)
  interact(request, response).catch((error) => response.writeHead(500).end(String(error)))
}).listen(port, '127.0.0.1')
