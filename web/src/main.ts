import { mount } from 'svelte';
import App from './App.svelte';
import { router } from './lib/router/router.svelte.ts';
import { keepSetupToken } from './lib/state/setup-token.ts';
import { preferences } from './lib/state/preferences.svelte.ts';
import './styles/tokens.css';
import './styles/base.css';

// Before anything else: the set-up token leaves the address bar and the history.
keepSetupToken(() => router.takeFragment());
preferences.applyTheme();
router.start();

const target = document.getElementById('app');
if (target === null) throw new Error('the page has no #app');
export default mount(App, { target });
