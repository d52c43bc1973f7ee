// What a new workflow begins with.
export interface Template {
  id: string;
  title: string;
  about: string;
  source: (name: string, title: string) => string;
}

const text = (value: string) => JSON.stringify(value);

export const templates: readonly Template[] = [
  {
    id: 'empty', title: 'Empty', about: 'A header and a function that greets.',
    source: (name, title) => `//! ${title}.

const WORKFLOW = #{
    name: ${text(name)},
    title: ${text(title)},
    inputs: #{
        type: "object",
        additionalProperties: false,
        properties: #{
            who: #{ type: "string", title: "Whom to greet", "default": "world" },
        },
    },
    permissions: [],
};

fn run(input) {
    log("hello " + input.who);
    #{ greeted: input.who }
}
`,
  },
  {
    id: 'approval', title: 'With an approval', about: 'Asks a person before it goes on.',
    source: (name, title) => `//! ${title}.

const WORKFLOW = #{
    name: ${text(name)},
    title: ${text(title)},
    inputs: #{
        type: "object",
        additionalProperties: false,
        required: ["what"],
        properties: #{
            what: #{ type: "string", title: "What is to be done" },
        },
    },
    permissions: [],
    timeout: "1d",
};

fn run(input) {
    log("asks for " + input.what);
    let decision = approve(#{ title: input.what });
    #{ done: input.what, decision: decision }
}
`,
  },
  {
    id: 'lab', title: 'A small lab', about: 'Makes two namespaces and a link between them; a failure undoes it.',
    source: (name, title) => `//! ${title}.

const WORKFLOW = #{
    name: ${text(name)},
    title: ${text(title)},
    inputs: #{
        type: "object",
        additionalProperties: false,
        properties: #{
            lab: #{ type: "string", title: "Lab", "default": "demo" },
        },
    },
    permissions: ["net.write:*", "net.read:*"],
    timeout: "10m",
    concurrency: #{ key: "lab/{lab}", limit: 1 },
};

fn run(input) {
    net::create_namespace(input.lab, "a");
    net::create_namespace(input.lab, "b");
    net::connect(input.lab, #{ at: "a:eth0", addresses: ["10.0.0.1/24"] }, #{ at: "b:eth0", addresses: ["10.0.0.2/24"] });
    #{ lab: input.lab }
}
`,
  },
  {
    id: 'module', title: 'A module', about: 'Functions that several workflows import: its name begins with lib/.',
    source: (_, title) => `//! ${title}.

/// Greets somebody.
fn greet(who) {
    log("hello " + who);
}
`,
  },
];

/** What is wrong with a name, in words; null: nothing. */
export function faultOfName(name: string, template: string, known: readonly string[]): string | null {
  if (!name) return 'A name is needed.';
  if (!/^[A-Za-z0-9][\w-]*(\/[A-Za-z0-9][\w-]*)+$/.test(name)) return 'Names look like lab/two-routers: letters, digits, - and _, parts separated by /.';
  if (template === 'module' && !name.startsWith('lib/')) return 'A module’s name begins with lib/.';
  if (template !== 'module' && name.startsWith('lib/')) return 'What is in lib/ is a module: it can’t be launched.';
  return known.includes(name) ? 'There is one of this name already.' : null;
}
