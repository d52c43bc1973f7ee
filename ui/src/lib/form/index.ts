// Forms from JSON Schema: `<SchemaForm schema={…} bind:value problems={…} />`, and what is sent of them.
export { default as SchemaForm } from './SchemaForm.svelte';
export { fresh, payload, withoutSecrets, changes } from './values';
export { faultsOf, type Fault } from './validate';
export { fromQuery, fromRun, toCommand, toQuery } from './links';
export { slug, stepOf, stepsOf, type Formed, type Step } from './wizard';
export { asSchema, titleOf, type Schema } from './schema';
export { isSecret } from './secrets';
export { below, isObject, read, same, within, write } from './pointer';
export { problemsOf } from './problems';
