import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    testTimeout: 30_000,
    // Two cores: more workers than that only makes timing-sensitive tests slower.
    maxWorkers: 2,
  },
});
