// Logs out, and says so when the server didn't hear of it.
import { session } from '$lib/session.svelte';
import { toasts } from '$lib/ui';

export const logOut = () => session.logOut().catch((error) => toasts.bad('You are still logged in.', error));
