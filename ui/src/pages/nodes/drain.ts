// What draining a node means for the others.
import type { Schema } from '$lib/api';

type Node = Pick<Schema<'NodeView'>, 'id' | 'state'>;

/** Whether nothing would be claimed any more. */
export const lastOne = (node: Node, all: readonly Node[]) => !all.some((one) => one.id !== node.id && one.state === 'active');
