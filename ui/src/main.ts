// Where the interface begins.
import { mount } from 'svelte';
import '$lib/styles/tokens.css';
import '$lib/styles/base.css';
import { preferences } from '$lib/preferences.svelte';
import { mend } from '$lib/preload';
import { router } from '$lib/router.svelte';
import { session } from '$lib/session.svelte';
import App from './App.svelte';
import { find } from './routes';

mend();
preferences.apply();
router.start();
void session.load();
// The page's file comes while the server is asked who one is.
void find(location.pathname)?.route.page().catch(() => {});
mount(App, { target: document.getElementById('app')! });
