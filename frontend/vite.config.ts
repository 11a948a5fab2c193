import { defineConfig } from "vitest/config";

// One script and one style sheet under fixed names: Django's static files storage adds the hashes.
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "dist/survey",
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    modulePreload: false,
    rollupOptions: {
      input: "src/main.ts",
      output: {
        entryFileNames: "survey.js",
        assetFileNames: "survey[extname]",
        codeSplitting: false,
      },
    },
  },
  // A machine busy with other work may be slow; what hangs still fails.
  test: { environment: "jsdom", include: ["tests/**/*.test.ts"], restoreMocks: true, testTimeout: 60_000 },
});
