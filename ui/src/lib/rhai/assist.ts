// The editor's help while one types: completion, what is under the pointer, a call's parameters, folding, going to what is named.
import { snippetCompletion, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { foldService } from '@codemirror/language';
import { StateEffect, StateField, type EditorState, type Extension, type Text } from '@codemirror/state';
import { EditorView, hoverTooltip, keymap, showTooltip, type Tooltip } from '@codemirror/view';
import { offersAt, type Offer } from './completions';
import { lookUp, type Definition, type Knowledge } from './definitions';
import { callAt, closing, outlineOf, pathAt, tokenIndexAt, variablesAt, type Outline } from './outline';
import { isText } from './tokens';

const outlines = new WeakMap<Text, Outline>();

/** The outline of a document, made once for each of its states. */
export function outlineOfDoc(doc: Text): Outline {
  let outline = outlines.get(doc);
  if (!outline) outlines.set(doc, (outline = outlineOf(doc.toString())));
  return outline;
}

const make = (tag: string, className: string, text?: string) => {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

/** Text with `code` in it. */
function prose(text: string, className = 'rh-doc'): HTMLElement {
  const paragraph = make('p', className);
  text.split(/(`[^`]+`)/).forEach((part) => paragraph.append(part.startsWith('`') && part.length > 1 ? make('code', '', part.slice(1, -1)) : part));
  return paragraph;
}

const AFTER: Record<string, string> = {
  read: 'After a crash it reads again.', idempotent: 'After a crash it is repeated: twice is the same as once.',
  keyed: 'After a crash it finds what it made and adopts it.', at_most_once: 'After a crash a person decides: it isn’t repeated.', wait: 'After a crash it waits on.',
};

/** A definition as it is shown under the pointer; with one of its parameters marked, in a call. */
export function describe(definition: Definition, argument?: number, brief = false): HTMLElement {
  const box = make('div', 'rh-card');
  const line = make('div', 'rh-signature');
  line.append(make('span', 'rh-name', definition.full), '(');
  definition.params.forEach((param, index) => {
    if (index) line.append(', ');
    line.append(make('span', index === argument ? 'rh-now' : 'rh-param', param.name + (param.optional ? '?' : '')));
  });
  line.append(')');
  if (definition.returns && definition.returns !== '()') line.append(make('span', 'rh-returns', ` → ${definition.returns}`));
  box.append(line);
  const now = argument === undefined ? undefined : definition.params[argument];
  if (now) {
    const kind = now.kind === '?' ? '' : `${now.kind.replaceAll('|', ' or ')}${now.optional ? ', optional' : ''}`;
    if (now.doc || kind) box.append(prose(`${now.name}: ${[kind, now.doc].filter(Boolean).join('. ')}`));
    if (brief) return box;
  }
  if (definition.doc) box.append(prose(definition.doc));
  if (definition.module) box.append(prose(`In \`${definition.module}\`. F12 opens it.`, 'rh-small'));
  if (definition.permission) box.append(prose(`Needs \`${definition.permission.verb}:…\`, to ${definition.permission.words}.`, 'rh-small'));
  if (definition.undo?.op) box.append(prose(`Undone by \`${definition.undo.op}\`.`, 'rh-small'));
  else if (definition.undo?.none) box.append(prose(`Not undone: ${definition.undo.none}.`, 'rh-small'));
  if (definition.class && AFTER[definition.class]) box.append(prose(AFTER[definition.class]!, 'rh-small'));
  if (definition.example && !brief) box.append(make('pre', 'rh-example', definition.example.trim()));
  return box;
}

function completion(offer: Offer): Completion {
  const info = offer.definition ? () => describe(offer.definition!) : offer.doc ? () => prose(offer.doc!) : undefined;
  const one: Completion = { label: offer.label, type: offer.type, detail: offer.detail, boost: offer.boost, info };
  if (!offer.snippet || offer.snippet === offer.label) return one;
  return snippetCompletion(offer.snippet, one);
}

/** The path under a place, and where it is. */
export function namedAt(state: EditorState, at: number) {
  const outline = outlineOfDoc(state.doc);
  const index = tokenIndexAt(outline.tokens, at);
  const token = outline.tokens[index];
  if (!token) return null;
  if (token.kind === 'string' && outline.tokens[index - 1]?.text === 'import') return { outline, token, path: '', module: outline.imports.find((one) => one.from === token.from)?.module };
  if (isText(token) || !/^[A-Za-z_]/.test(token.text)) return null;
  return { outline, token, path: pathAt(outline.tokens, index), module: undefined };
}

export interface Place {
  /** Another file, or undefined for this one. */
  module?: string;
  from?: number;
  name?: string;
}

/** Where what stands at a place is defined. */
export function definitionAt(state: EditorState, at: number): Place | null {
  const found = namedAt(state, at);
  if (!found) return null;
  if (found.module) return { module: found.module };
  const { outline, path, token } = found;
  const parts = path.split('::');
  const imported = outline.imports.find((one) => one.alias === parts[0]);
  if (imported && (parts.length > 1 || token.kind === 'namespace')) return { module: imported.module, name: parts[1] };
  if (parts.length > 1) {
    const constant = parts[0] === 'global' ? outline.constants.find((one) => one.name === parts[1]) : undefined;
    return constant ? { from: constant.from } : null;
  }
  const variable = variablesAt(outline, at + 1).reverse().find((one) => one.name === path);
  const fn = outline.functions.find((one) => one.name === path);
  return variable && !/function/.test(token.kind) ? { from: variable.from } : fn ? { from: fn.from } : null;
}

export interface Assist {
  knowledge: () => Knowledge;
  /** Goes to a place, in this file or another. */
  open: (place: Place) => void;
}

/** Completions at a place: what CodeMirror asks for. */
export const source = (assist: Pick<Assist, 'knowledge'>) => (context: CompletionContext): CompletionResult | null => {
  const text = context.state.doc.toString();
  const before = text.slice(Math.max(0, context.pos - 2), context.pos);
  if (!context.explicit && !/[\w."]$|::$/.test(before)) return null;
  const found = offersAt(text, context.pos, outlineOfDoc(context.state.doc), assist.knowledge());
  if (!found || !found.offers.length) return null;
  return { from: found.from, options: found.offers.map(completion), validFor: /^[\w/]*$/ };
};

/** Where the call begins whose parameters somebody doesn't want to see. */
const dismiss = StateEffect.define<number>();

function signature(assist: Assist): Extension {
  const field = StateField.define<{ tooltip: Tooltip | null; dismissed: number }>({
    create: () => ({ tooltip: null, dismissed: -1 }),
    update(shown, transaction) {
      const told = transaction.effects.find((one) => one.is(dismiss));
      if (told) return { tooltip: null, dismissed: told.value as number };
      if (!transaction.docChanged && !transaction.selection) return shown;
      const { main } = transaction.state.selection;
      const nothing = { tooltip: null, dismissed: -1 };
      // A place to fill in is selected: that is in the call, too.
      if (main.to > transaction.state.doc.lineAt(main.from).to) return nothing;
      const outline = outlineOfDoc(transaction.state.doc);
      const call = callAt(outline, main.from);
      if (!call) return nothing;
      const dismissed = shown.dismissed < 0 ? -1 : transaction.changes.mapPos(shown.dismissed);
      if (dismissed === call.from) return { tooltip: null, dismissed };
      const forms = lookUp(call.path, outline, assist.knowledge());
      const form = forms.find((one) => one.params.length > call.argument) ?? forms[0];
      if (!form) return nothing;
      const tooltip: Tooltip = { pos: call.from, above: true, strictSide: false, create: () => ({ dom: describe(form, call.argument, true) }) };
      return { tooltip, dismissed: -1 };
    },
    provide: (one) => showTooltip.from(one, (value) => value.tooltip),
  });
  const close = (view: EditorView) => {
    const { tooltip } = view.state.field(field);
    if (tooltip) view.dispatch({ effects: dismiss.of(tooltip.pos) });
    return !!tooltip;
  };
  return [field, keymap.of([{ key: 'Escape', run: close }])];
}

const hover = (assist: Assist) =>
  hoverTooltip((view, at) => {
    const found = namedAt(view.state, at);
    if (!found) return null;
    const { outline, token, path } = found;
    const known = assist.knowledge();
    const card = () => {
      const forms = lookUp(path, outline, known);
      if (forms.length && /function|namespace/.test(token.kind)) return forms.map((one) => describe(one));
      const space = known.definitions.module(path);
      if (space && token.kind === 'namespace') return [prose(`\`${path}\`: ${space.doc}`)];
      const imported = outline.imports.find((one) => one.alias === path || one.module === found.module);
      if (imported && (token.kind === 'namespace' || found.module)) return [prose(`\`${imported.module}\`: ${known.modules.get(imported.module)?.doc || 'a module'} F12 opens it.`)];
      const field = path.startsWith('.') && outline.tokens[outline.tokens.indexOf(token) - 2]?.text === 'input' ? known.fields.find((one) => `.${one.name}` === path) : undefined;
      if (field) return [prose(`\`input.${field.name}\` (${field.type})${field.doc ? `: ${field.doc}` : ''}`)];
      return [];
    };
    const cards = card();
    if (!cards.length) return null;
    return {
      pos: token.from, end: token.to, above: true,
      create: () => {
        const dom = make('div', 'rh-hover');
        dom.append(...cards);
        return { dom };
      },
    };
  });

/** Folds what a line opens and doesn't close. */
export const folding = foldService.of((state, from, to) => {
  const { tokens } = outlineOfDoc(state.doc);
  let index = tokenIndexAt(tokens, to);
  if (index < 0) index = tokens.findIndex((one) => one.from > to) - 1;
  for (let at = index; at >= 0 && tokens[at]!.from >= from; at -= 1) {
    const token = tokens[at]!;
    if (!['brace', 'squareBracket', 'paren'].includes(token.kind) || !/[([{]$/.test(token.text)) continue;
    const end = closing(tokens, at);
    if (end > 0 && tokens[end]!.from > to) return { from: token.to, to: tokens[end]!.from };
  }
  return null;
});

/** All of it but the completion source, which `autocompletion` gets. */
export function assistance(assist: Assist): Extension {
  const go = (view: EditorView, at: number) => {
    const place = definitionAt(view.state, at);
    if (place) assist.open(place);
    return !!place;
  };
  return [
    hover(assist), signature(assist), folding,
    keymap.of([{ key: 'F12', run: (view) => go(view, view.state.selection.main.head) }]),
    EditorView.domEventHandlers({
      mousedown(event, view) {
        if (!(event.ctrlKey || event.metaKey) || event.button !== 0) return false;
        const at = view.posAtCoords({ x: event.clientX, y: event.clientY });
        return at !== null && go(view, at);
      },
    }),
  ];
}
