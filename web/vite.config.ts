import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** What every page needs, in one file: many small ones compress worse. Paths below the repository's root. */
const BASE =
  /\/node_modules\/(svelte|clsx)\/|\/web\/src\/lib\/(session\/|console\/console|api\/(request|sessions)|components\/(Button|Icon|icons|Note)|router\/|state\/|time)/;
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
      // Every page has these already: naming them beside each part that is loaded later costs bytes of the first page.
      resolveDependencies: (_file, needed, { hostType }) =>
        hostType === 'html' ? needed : needed.filter((name) => !/(?:^|\/)(?:base|rolldown-runtime)-/.test(name)),
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
