import { defineConfig } from 'vitest/config'

/** One worker per core of the reference machine (2); lab tests own kernel objects and run in their own project, one file at a time. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{core,drivers,lib,apps,bench}/**/*.test.ts', 'tests/golden/*.test.ts', 'tests/repo/*.test.ts'],
          exclude: ['**/*.lab.test.ts', '**/node_modules/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'lab',
          include: ['**/*.lab.test.ts'],
          exclude: ['**/node_modules/**'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
