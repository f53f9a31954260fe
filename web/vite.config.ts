import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** What every page needs, in one file: many small ones compress worse. Paths below the repository's root. */
const BASE =
  /\/node_modules\/(svelte\/(?!src\/reactivity\/)|clsx\/)|\/web\/src\/lib\/(session\/|console\/console|api\/(audit|request|sessions)|command-look|components\/(Button|CodeText|Icon|icons|Note|focus-return)|router\/|state\/|time)/;
/** What a console needs before its first prompt; layers and questions come when they are wanted. */
const TERMINAL =
  /\/node_modules\/@xterm\/xterm\/|\/shared\/src\/(editor|terminal-output)\/|\/web\/src\/(lib\/terminal\/(?!CompletionMenu)|pages\/Console|lib\/console\/(ConsolePane|FactsBar|LinkBar|TabStrip|announcer))/;

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [svelte()],
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    // Every browser of this target knows modulepreload; where one does not, files come a little later.
    modulePreload: {
      polyfill: false,
      // What every page has already is not named beside each part that is loaded later: names are bytes of the first page.
      // Nor are scripts of what a console may come to need; their own imports bring them.
      resolveDependencies: (_file, needed, { hostId, hostType }) =>
        hostType === 'html'
          ? needed
          : needed
              .filter((name) => !/(?:^|\/)(?:base|rolldown-runtime)-/.test(name))
              .filter((name) => name.endsWith('.css') || !hostId.includes('terminal-')),
    },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'base', test: BASE },
            { name: 'terminal', test: TERMINAL },
          ],
        },
      },
    },
  },
});
