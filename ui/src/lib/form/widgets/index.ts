// The fields that schemas ask for by name. Pages that have forms with look-ups give them: `<SchemaForm widgets={widgets} … />`.
import type { Widgets } from '../widget';
import Check from './Check.svelte';
import Colour from './Colour.svelte';
import ComponentsField from './ComponentsField.svelte';
import Diagrams from './Diagrams.svelte';
import DomainField from './DomainField.svelte';
import Offers from './Offers.svelte';
import Picture from './Picture.svelte';
import PoolField from './PoolField.svelte';
import PoolName from './PoolName.svelte';
import RegistrarField from './RegistrarField.svelte';
import SshKeyField from './SshKeyField.svelte';

export const widgets: Widgets = {
  fields: {
    cards: Diagrams, colour: Colour, components: ComponentsField, diagrams: Diagrams, domain: DomainField, offers: Offers, picture: Picture, pool: PoolField, 'pool-name': PoolName,
    registrar: RegistrarField, 'ssh-key': SshKeyField,
  },
  check: Check,
};
