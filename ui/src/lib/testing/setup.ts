// What tests of components need that the simulated browser lacks.
import { cleanup, configure } from '@testing-library/svelte';
import { afterEach } from 'vitest';

// A busy machine needs more than a second; whoever waits in vain waits longer.
configure({ asyncUtilTimeout: 15_000 });

afterEach(() => cleanup());
