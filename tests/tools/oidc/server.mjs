// A certified OpenID provider on loopback, for the tests of the log-in: whoever is named at /as is logged in without a question.
//   node server.mjs PORT CALLBACK...     (one callback for each of the clients rs, es, ed)
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [port, ...callbacks] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const people = {
  ann: { email: "ann@example.net", email_verified: true, groups: ["windlass-admins"], preferred_username: "ann" },
  bob: { email: "bob@example.net", email_verified: true, groups: [], preferred_username: "bob" },
  eve: { email: "eve@example.org", email_verified: true, groups: [], preferred_username: "eve" },
  una: { email: "una@example.net", email_verified: false, groups: [], preferred_username: "una" },
};
let who = "ann";

const key = (kid, alg, kind, options) =>
  ({ ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }), kid, alg, use: "sig" });
const jwks = {
  keys: [
    key("rs", "RS256", "rsa", { modulusLength: 2048 }),
    key("es", "ES256", "ec", { namedCurve: "P-256" }),
    key("ed", "EdDSA", "ed25519", {}),
  ],
};

const algorithms = { rs: "RS256", es: "ES256", ed: "EdDSA" };
const clients = Object.entries(algorithms).map(([name, alg], index) => ({
  client_id: `windlass-${name}`,
  redirect_uris: [callbacks[index]],
  id_token_signed_response_alg: alg,
  response_types: ["code"],
  grant_types: ["authorization_code"],
  // One of them has no secret: PKCE alone.
  ...(name === "ed" ? { token_endpoint_auth_method: "none" } : { client_secret: "a secret, with: signs+" }),
}));

const provider = new Provider(issuer, {
  clients,
  jwks,
  enabledJWA: { idTokenSigningAlgValues: Object.values(algorithms) },
  claims: { openid: ["sub", "groups"], email: ["email", "email_verified"], profile: ["preferred_username"] },
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub.slice(3)] }) }),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
});

const answer = provider.callback();
createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname === "/as") {
    who = url.searchParams.get("who");
    return response.end("ok");
  }
  if (url.pathname.startsWith("/interaction/")) {
    return provider.interactionFinished(request, response, { login: { accountId: `id-${who}` } });
  }
  return answer(request, response);
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
