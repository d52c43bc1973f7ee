// The form as a person meets it: fields by their labels, what is said, and the value that comes out.
import { render, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { payload } from './values';
import type { Schema } from './schema';
import Probe from './Probe.test.svelte';

/** A form, and what it has filled in. */
function form(schema: Schema, more: Record<string, unknown> = {}) {
  let value: unknown;
  const view = render(Probe, { schema, onvalue: (now: unknown) => (value = now), ...more });
  return { user: userEvent.setup(), view, value: () => value, sent: () => payload(schema, value) };
}
const object = (properties: Record<string, Schema>, rest: Schema = {}): Schema => ({ type: 'object', properties, ...rest });

describe('groups', () => {
  const looks = object({
    title: { type: 'string', title: 'Title of its pages', 'x-empty': 'As it is called' },
    colours: object({ primary: { type: 'string', title: 'Buttons' }, background: { type: 'string', title: 'Background' } }, { title: 'Colours', default: {}, 'x-contrast': true }),
  }, { title: 'Looks', default: {} });

  it('that are there by default stand there, and can’t be left out', async () => {
    const { user, sent } = form(object({ looks }));
    expect(screen.getByPlaceholderText('As it is called')).toBeTruthy();
    expect(screen.queryByRole('button', { name: /Leave out|Add/ })).toBeNull();
    await user.type(screen.getByLabelText(/Title of its pages/), 'Acme');
    expect(sent()).toEqual({ looks: { title: 'Acme', colours: {} } });
  });

  it('say which colours can’t be read', async () => {
    const { user } = form(object({ looks }));
    await user.type(screen.getByLabelText(/Buttons/), '#ffff00');
    await user.tab();
    expect(screen.getByText(/1\.07 to 1 on (buttons|the background)/)).toBeTruthy();
  });

  it('whose names are of a few are chosen from by their titles', async () => {
    const { user, sent } = form(object({
      most: { type: 'object', title: 'Limits', default: {}, propertyNames: { title: 'What', enum: ['runs_open', 'members'], 'x-labels': { runs_open: 'Runs at a time' } } as Schema, additionalProperties: { type: 'integer' } },
    }));
    await user.selectOptions(screen.getByLabelText(/What/), 'Runs at a time');
    await user.click(screen.getByRole('button', { name: 'Add entry' }));
    await user.type(screen.getByRole('textbox', { name: /Runs at a time/ }), '3');
    expect(sent()).toEqual({ most: { runs_open: 3 } });
    expect(screen.queryByRole('option', { name: 'Runs at a time' })).toBeNull();
  });

  it('of which nothing is said take anything', () => {
    form(object({ more: { type: 'object', title: 'More', default: {} } }));
    expect(screen.queryByText('There is nothing to fill in.')).toBeNull();
    expect(screen.getByRole('button', { name: 'Add entry' })).toBeTruthy();
  });
});

describe('single fields', () => {
  it('begin with their defaults, and take text, numbers and ticks', async () => {
    const { user, sent } = form(object({ name: { type: 'string', title: 'Name' }, port: { type: 'integer', title: 'Port', default: 22 }, on: { type: 'boolean', title: 'On' } }));
    expect(sent()).toEqual({ port: 22 });
    await user.type(screen.getByLabelText(/Name/), 'web');
    await user.clear(screen.getByLabelText(/Port/));
    await user.type(screen.getByLabelText(/Port/), '8022');
    await user.click(screen.getByLabelText('On'));
    expect(sent()).toEqual({ name: 'web', port: 8022, on: true });
    await user.clear(screen.getByLabelText(/Port/));
    expect(sent()).toEqual({ name: 'web', on: true });
    expect(screen.getByPlaceholderText('Default: 22')).toBeTruthy();
  });

  it('keep what isn’t a number, and say so once one has left', async () => {
    const { user, sent } = form(object({ port: { type: 'integer', title: 'Port' } }));
    const field = screen.getByLabelText(/Port/);
    await user.type(field, '12a');
    expect(screen.queryByText('Has to be a whole number.')).toBeNull();
    await user.tab();
    expect(screen.getByText('Has to be a whole number.')).toBeTruthy();
    expect(field.getAttribute('aria-invalid')).toBe('true');
    expect(field.getAttribute('aria-describedby')).toContain('error');
    expect(sent()).toEqual({ port: '12a' });
    await user.type(field, '{Backspace}');
    expect(screen.queryByText('Has to be a whole number.')).toBeNull();
    expect(sent()).toEqual({ port: 12 });
  });

  it('choose values of any type', async () => {
    const { user, sent } = form(object({ n: { title: 'N', enum: [1, '1', null, 'a long enough name of a choice'] }, t: { title: 'T', oneOf: [{ const: 5, title: 'Five' }, { const: 6, title: 'Six' }] } }));
    await user.selectOptions(screen.getByLabelText(/^N/), 'nothing');
    await user.selectOptions(screen.getByLabelText(/^T/), 'Six');
    expect(sent()).toEqual({ n: null, t: 6 });
    await user.selectOptions(screen.getByLabelText(/^T/), 'Not set');
    expect(sent()).toEqual({ n: null });
  });

  it('that may be nothing are left out or null', async () => {
    const { user, sent } = form(object({ a: { type: ['integer', 'null'], title: 'A' } }, { required: ['a'] }));
    await user.type(screen.getByLabelText('A'), '1');
    await user.clear(screen.getByLabelText('A'));
    expect(sent()).toEqual({ a: null });
  });

  it('take a secret’s name, and offer those that are known', async () => {
    const { user, sent, view } = form(object({ key: { type: 'string', title: 'Key', 'x-secret': true } }), { secrets: ['acme/dns'] });
    expect(view.container.querySelector('datalist option')?.getAttribute('value')).toBe('acme/dns');
    await user.type(screen.getByLabelText(/Key/), 'hunter2 !');
    await user.tab();
    expect(screen.getByText(/Takes the name of a stored secret: letters/)).toBeTruthy();
    expect(sent()).toEqual({ key: 'hunter2 !' });
  });

  it('without a type take JSON or plain text', async () => {
    const { user, sent } = form(object({ any: { title: 'Any' } }));
    await user.type(screen.getByLabelText(/Any/), '{{"a":1');
    await user.tab();
    expect(screen.getByText(/isn’t JSON yet/)).toBeTruthy();
    await user.type(screen.getByLabelText(/Any/), '}');
    expect(sent()).toEqual({ any: { a: 1 } });
  });
});

describe('groups and conditions', () => {
  it('bring fields as values change, and don’t send those that don’t apply', async () => {
    const schema = object({ kind: { type: 'string', title: 'Kind', enum: ['test', 'production'] } }, {
      required: ['kind'], if: { properties: { kind: { const: 'production' } }, required: ['kind'] },
      then: { required: ['ticket'], properties: { ticket: { type: 'string', title: 'Ticket' } } },
    });
    const { user, sent } = form(schema, { reveal: true });
    expect(screen.queryByLabelText('Ticket')).toBeNull();
    await user.selectOptions(screen.getByLabelText('Kind'), 'production');
    expect(screen.getByText('This is needed.')).toBeTruthy();
    await user.type(screen.getByLabelText('Ticket'), 'CH-1');
    expect(sent()).toEqual({ kind: 'production', ticket: 'CH-1' });
    await user.click(screen.getByText('test'));
    expect(sent()).toEqual({ kind: 'test' });
    await user.click(screen.getByText('production'));
    expect(sent()).toEqual({ kind: 'production', ticket: 'CH-1' });
  });

  it('that may be left out are added and left out', async () => {
    const { user, sent } = form(object({ owner: { type: 'object', title: 'Owner', properties: { mail: { type: 'string', title: 'Mail', default: 'a@b.c' } } } }));
    expect(sent()).toEqual({});
    await user.click(screen.getByRole('button', { name: 'Add Owner' }));
    expect(sent()).toEqual({ owner: { mail: 'a@b.c' } });
    await user.click(screen.getByRole('button', { name: 'Leave out Owner' }));
    expect(sent()).toEqual({});
  });

  it('have one of several forms', async () => {
    const link: Schema = { title: 'Link', type: 'object', oneOf: [
      { title: 'Tunnel', required: ['kind', 'peer'], properties: { kind: { const: 'tunnel' }, peer: { type: 'string', title: 'Peer' } } },
      { title: 'Direct', required: ['kind', 'gateway'], properties: { kind: { const: 'direct' }, gateway: { type: 'string', title: 'Gateway' } } },
    ] };
    const { user, sent } = form(object({ link }, { required: ['link'] }));
    expect(sent()).toEqual({ link: { kind: 'tunnel' } });
    await user.type(screen.getByLabelText('Peer'), 'p');
    await user.click(screen.getByText('Direct'));
    await user.type(screen.getByLabelText('Gateway'), 'g');
    expect(sent()).toEqual({ link: { kind: 'direct', gateway: 'g' } });
  });

  it('have one of several types', async () => {
    const { user, sent } = form(object({ port: { title: 'Port', anyOf: [{ type: 'integer', title: 'Number' }, { type: 'string', title: 'Name' }] } }, { required: ['port'] }));
    await user.type(screen.getByLabelText('Port'), '22');
    expect(sent()).toEqual({ port: 22 });
    await user.click(screen.getByText('Name'));
    await user.type(screen.getByLabelText('Port'), 'ssh');
    expect(sent()).toEqual({ port: 'ssh' });
  });

  it('take names of one’s own', async () => {
    const { user, sent } = form(object({ labels: { type: 'object', title: 'Labels', additionalProperties: { type: 'string' } } }, { required: ['labels'] }));
    await user.type(screen.getByLabelText('Name of a new entry'), 'team{Enter}');
    await user.type(screen.getByLabelText('team'), 'ops');
    expect(sent()).toEqual({ labels: { team: 'ops' } });
    await user.type(screen.getByLabelText('Name of a new entry'), 'team{Enter}');
    expect(screen.getByText('This name is there already.')).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Remove team' }));
    expect(sent()).toEqual({ labels: {} });
  });
});

describe('lists', () => {
  const nodes = object({ nodes: { type: 'array', title: 'Nodes', minItems: 1, maxItems: 3, items: { type: 'object', title: 'node', required: ['name'], properties: { name: { type: 'string', title: 'Name' } } } } }, { required: ['nodes'] });
  it('are added to, moved and removed from, with the focus where one is', async () => {
    const { user, sent } = form(nodes);
    expect(sent()).toEqual({ nodes: [{}] });
    await user.type(screen.getByLabelText('Name'), 'a');
    await user.click(screen.getByRole('button', { name: 'Add node' }));
    expect(document.activeElement).toBe(screen.getAllByLabelText('Name')[1]);
    await user.keyboard('b');
    await user.click(screen.getByRole('button', { name: 'Add node' }));
    await user.keyboard('c');
    expect(screen.queryByRole('button', { name: 'Add node' })).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Move c up' }));
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Move c up' }));
    expect(sent()).toEqual({ nodes: [{ name: 'a' }, { name: 'c' }, { name: 'b' }] });
    await user.click(screen.getByRole('button', { name: 'Remove a' }));
    await user.click(screen.getByRole('button', { name: 'Remove c' }));
    expect(sent()).toEqual({ nodes: [{ name: 'b' }] });
    expect(screen.queryByRole('button', { name: 'Remove b' })).toBeNull();
  });

  it('of few choices are ticked', async () => {
    const { user, sent } = form(object({ services: { type: 'array', title: 'Services', uniqueItems: true, items: { enum: ['dns', 'web'] } } }));
    await user.click(screen.getByLabelText('web'));
    await user.click(screen.getByLabelText('dns'));
    expect(sent()).toEqual({ services: ['dns', 'web'] });
    await user.click(screen.getByLabelText('dns'));
    await user.click(screen.getByLabelText('web'));
    expect(sent()).toEqual({});
  });
});

describe('a list of choices', () => {
  it('moves each with its choice, also one that nothing tells apart yet', async () => {
    const item: Schema = { type: 'object', title: 'rule', oneOf: [{ title: 'Allow', properties: { port: { type: 'string', title: 'Port' } }, required: ['port'] }, { title: 'Refuse', properties: { reason: { type: 'string', title: 'Reason' } }, required: ['reason'] }] };
    const { user, sent } = form(object({ rules: { type: 'array', title: 'Rules', items: item } }));
    await user.click(screen.getByRole('button', { name: 'Add rule' }));
    await user.click(screen.getByRole('button', { name: 'Add rule' }));
    await user.click(screen.getAllByText('Refuse')[1]!);
    await user.type(screen.getByLabelText('Reason'), 'no');
    await user.type(screen.getByLabelText('Port'), '22');
    await user.click(screen.getByRole('button', { name: /Move rule 2 up/i }));
    expect(sent()).toEqual({ rules: [{ reason: 'no' }, { port: '22' }] });
    const fields = screen.getAllByRole('textbox');
    expect(fields.map((field) => (field as HTMLInputElement).value)).toEqual(['no', '22']);
  });
});

describe('an emptied default', () => {
  it('stays empty while one types elsewhere', async () => {
    const { user, sent } = form(object({ port: { type: 'integer', title: 'Port', default: 22 }, name: { type: 'string', title: 'Name' } }));
    await user.clear(screen.getByLabelText(/Port/));
    await user.type(screen.getByLabelText(/Name/), 'x');
    expect(sent()).toEqual({ name: 'x' });
  });
});

describe('the server’s word', () => {
  it('stands at the field, deep inside as well', () => {
    const schema = object({ nodes: { type: 'array', title: 'Nodes', items: object({ name: { type: 'string', title: 'Name' } }) } });
    form(schema, { first: { nodes: [{ name: 'a' }, { name: 'b' }] }, problems: { '/nodes/1/name': 'there is such a node' }, reveal: true });
    const fields = screen.getAllByLabelText(/Name/);
    expect(fields[0]!.getAttribute('aria-invalid')).toBeNull();
    expect(fields[1]!.getAttribute('aria-invalid')).toBe('true');
    expect(within(fields[1]!.closest('.field')! as HTMLElement).getByText('There is such a node.')).toBeTruthy();
  });

  it('a workflow’s header will do, and a step of it', () => {
    render(Probe, { workflow: { inputs: object({ a: { type: 'string', title: 'A' }, b: { type: 'string', title: 'B' } }) }, only: ['b'] });
    expect(screen.queryByLabelText(/^A/)).toBeNull();
    expect(screen.getByLabelText(/^B/)).toBeTruthy();
  });
});

describe('templates', () => {
  const source = object({ source: { type: 'string', title: 'Source', 'x-widget': 'code', examples: ['url: https://YOUR-REPOSITORY'], 'x-replace': { 'YOUR-REPOSITORY': 'your own' } } });
  it('are filled in with what has to be replaced marked, and said', async () => {
    const { user, sent } = form(source);
    await user.click(screen.getByRole('button', { name: 'Fill in a template' }));
    expect(sent()).toEqual({ source: 'url: https://YOUR-REPOSITORY' });
    const field = screen.getByLabelText<HTMLTextAreaElement>(/Source/);
    expect(field.value.slice(field.selectionStart, field.selectionEnd)).toBe('YOUR-REPOSITORY');
    await user.tab();
    expect(screen.getByText('Replace YOUR-REPOSITORY by your own.')).toBeTruthy();
    await user.clear(field);
    await user.type(field, 'url: https://git.acme.example');
    expect(screen.queryByText(/^Replace/)).toBeNull();
  });
});
