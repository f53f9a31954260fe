import eslint from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import tseslint from 'typescript-eslint';

const noUnsafe = {
  '@typescript-eslint/no-explicit-any': 'error',
  '@typescript-eslint/no-non-null-assertion': 'error',
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
  '@typescript-eslint/consistent-type-imports': 'error',
  // A callback that must not throw is often given an async function on purpose; floating promises are caught above.
  '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false, properties: false } }],
  '@typescript-eslint/no-confusing-void-expression': [
    'error',
    { ignoreArrowShorthand: true, ignoreVoidOperator: true },
  ],
  '@typescript-eslint/unified-signatures': 'off',
  // Contracts are promises; an async function without a wait keeps its throws rejections.
  '@typescript-eslint/require-await': 'off',
  'max-lines': ['error', { max: 450, skipComments: true }],
  'max-lines-per-function': ['error', { max: 80, skipComments: true, skipBlankLines: true }],
  'no-control-regex': 'off', // Terminal output is full of control characters; matching them is the work.
  eqeqeq: 'error',
};

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      '**/node_modules/',
      '.cache/',
      'coverage/',
      '**/*.cjs',
      'server/psrp/vectors/',
      'server/wsman/vectors/',
    ],
  },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        // One program of all: a file is read and its types are made once. What each workspace may use, `npm run types` says.
        project: 'tsconfig.lint.json',
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: noUnsafe,
  },
  {
    files: ['**/*.test.ts', 'test/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', 'max-lines': ['error', 700] },
  },
  {
    // A state machine and a reader with their tables in one place read better than cut in two.
    files: ['server/psrp/src/**/*.ts'],
    rules: { 'max-lines': ['error', { max: 500, skipComments: true }] },
  },
  ...svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      parserOptions: { parser: tseslint.parser, extraFileExtensions: ['.svelte'] },
    },
    rules: { 'no-undef': 'off', 'no-unused-vars': 'off' }, // svelte-check judges both, with types.
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
);
