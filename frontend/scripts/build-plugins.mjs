/**
 * Builds every folder of src/plugins as files of its own, for use in any jsPsych experiment:
 * NAME.js (ES module, imports "jspsych") and NAME.browser.js (for a script tag, after jsPsych's own),
 * with NAME.css where the plugin has a style sheet.
 */
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "vite";

const root = resolve(import.meta.dirname, "..");
const names = readdirSync(resolve(root, "src/plugins"));

/** @param {string} name */
function globalName(name) {
  return `jsPsych${name.replace(/(^|-)([a-z])/g, (_, __, letter) => letter.toUpperCase())}`;
}

for (const [index, name] of names.entries()) {
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    build: {
      outDir: "dist/plugins",
      emptyOutDir: index === 0,
      target: "es2022",
      lib: {
        entry: `src/plugins/${name}/index.ts`,
        name: globalName(name),
        formats: ["es", "iife"],
        fileName: (format) => (format === "es" ? `${name}.js` : `${name}.browser.js`),
        cssFileName: name,
      },
      rollupOptions: { external: ["jspsych"], output: { globals: { jspsych: "jsPsychModule" } } },
    },
  });
}
