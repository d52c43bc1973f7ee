// What a registrar's plugin can call. Workflows have none of these, and a plugin has nothing else.
import { Definitions, nothing, type Definition, type Knowledge } from './definitions';
import { told } from './kit';

const options = 'Options: `headers`, `query`, one of `form`, `json` and `body`, and `expect`, a list of statuses that you look at yourself. Answers `#{ status, headers, text, json }`.';
const send = (method: string) => told(`${method}(url: string, options?: map)`, `Sends a ${method.toUpperCase()} request to a host that the manifest names. ${options}`, `http::${method}("https://api.registrar.example/v1/me", #{ headers: #{ "Authorization": "Bearer " + request.credentials.token } })`);

export const modules: Record<string, { doc: string; functions: readonly Definition[] }> = {
  http: { doc: 'Requests to the hosts that the manifest names.', functions: ['get', 'post', 'put', 'patch', 'delete', 'head'].map(send) },
  json: { doc: 'JSON.', functions: [told('parse(text: string)', 'What a JSON text says.'), told('text(value: any)', 'A value as JSON.')] },
  form: { doc: 'Fields of a form.', functions: [told('parse(text: string)', 'Fields of `a=1&b=2` as a map.'), told('text(fields: map)', 'A map as `a=1&b=2`.')] },
  xml: {
    doc: 'XML.',
    functions: [
      told('parse(text: string)', 'A node: `name`, `attributes`, `text`, `children`.'),
      told('all(node: map, path: string)', 'Nodes below this one at `path/to`.', 'xml::all(answer, "CommandResponse/Domain")'),
    ],
  },
  domain: {
    doc: 'Names of domains.',
    functions: [
      told('split(name: string)', '`#{ sld, tld }`, cut where the registry cuts: `ours` and `co.uk`.'),
      told('ascii(name: string)', 'The name as it stands in the DNS: `xn--…`.'), told('unicode(name: string)', 'The name as people write it.'),
    ],
  },
};

const core: readonly Definition[] = [
  told('refuse(kind: string, reason: string, data?: map)', 'Ends the call: `invalid_credentials`, `insufficient_rights`, `ip_not_allowed`, `account_not_eligible`, `domain_not_in_account`, `unsupported_tld`, `unsupported_operation`, `rate_limited` (with `retry_after`), `rejected` or `provider_unavailable`.', 'refuse("rejected", answer.json.message)'),
  told('wait(seconds: int)', 'Waits, 60 seconds at most: for what the registrar does in its own time.'),
  told('log(text: string)', 'A line in the server’s log; 100 in a call. A credential isn’t shown there.'),
  told('sha1(parts: array)', 'The digest of texts and credentials one after the other; as opaque as they are.'),
  told('hmac_sha1(key: any, text: any)', 'A signature; as opaque as its key.'),
  told('hmac_sha256(key: any, text: any)', 'A signature; as opaque as its key.'),
  told('base64(value: any)', 'Base64 of a text or a credential.'),
  told('url_encode(value: any)', 'As it may stand in an address.'),
  told('totp(seed: any)', 'The six digits of this half minute.'),
];

const members: readonly Definition[] = [
  told('credentials', 'What somebody filled in, by the names of the manifest. A secret one can be put into requests, and not be read.'),
  told('domain', 'The domain: ASCII, lower case, no dot at its end.'),
  told('nameservers', 'Names, for `set_nameservers`.'),
  told('host', 'For `glue`.'), told('action', '`get` or `set`, for `glue` and `ds`.'), told('addresses', 'For `glue`; an empty list removes.'), told('records', 'For `ds`.'),
  told('status', 'Of an answer: 200.'), told('headers', 'Of an answer.'), told('text', 'Of an answer.'), told('json', 'Of an answer, if it is JSON.'),
];

/** What is known while one edits a plugin's script. */
export const pluginKnowledge: Knowledge = {
  ...nothing,
  definitions: new Definitions({ modules: [{ name: 'core', doc: '', functions: [...core] }, ...Object.entries(modules).map(([name, it]) => ({ name, doc: it.doc, functions: it.functions.map((one) => ({ ...one, full: `${name}::${one.name}`, signature: `${name}::${one.signature}` })) }))] }),
  members,
};
