/**
 * Builds components by name and prints where they are: `node hack/stack/build.ts NAME...`; without a name, all
 * that the stack itself needs.
 */
import { builtPath, ensureBuilt } from './build/binaries.ts';
import { main } from './process/main.ts';
import { componentNamed, components } from './versions.ts';

await main(async () => {
  const names = process.argv.slice(2);
  const wanted =
    names.length > 0
      ? names.map(componentNamed)
      : components.filter((component) => component.onDemand !== true);
  await ensureBuilt(wanted);
  for (const component of wanted) process.stdout.write(`${builtPath(component)}\n`);
});
