// Where the interface begins.
import { mount } from 'svelte';
import '$lib/styles/tokens.css';
import '$lib/styles/base.css';
import { preferences } from '$lib/preferences.svelte';
import { router } from '$lib/router.svelte';
import { session } from '$lib/session.svelte';
import App from './App.svelte';

preferences.apply();
router.start();
void session.load();
mount(App, { target: document.getElementById('app')! });
