// The house (docs/architecture.md): a room imports only from the layers below its own.
const layers = [
  ['commands'],
  ['reconcilers', 'admission', 'monitor'],
  ['attestation', 'policy'],
  ['sbom', 'signing', 'transparency', 'registry', 'storage', 'kube', 'telemetry'],
  ['settings', 'tekton', 'statements'],
  ['model'],
];
const pure = ['model', 'tekton', 'statements'];
const below = (index) => layers.slice(index + 1).flat();

const layerRules = layers.flatMap((rooms, index) =>
  rooms.map((room) => ({
    name: `${room}-imports-only-lower-layers`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: `^src/(${[room, ...below(index)].join('|')})/` },
  })),
);

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'pure-rooms-do-no-io',
      comment: 'model, tekton and statements know no network, clock, file system or Kubernetes client',
      severity: 'error',
      from: { path: `^src/(${pure.join('|')})/` },
      to: {
        path: '^(node:)?(fs|net|http|https|http2|tls|dns|child_process|worker_threads|os|timers)',
        dependencyTypes: ['core'],
      },
    },
    {
      name: 'pure-rooms-use-no-clients',
      severity: 'error',
      from: { path: `^src/(${pure.join('|')})/` },
      to: { path: 'node_modules/(undici|@kubernetes|winston|prom-client|chokidar)' },
    },
    {
      name: 'src-knows-no-hack-or-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(hack|test)/' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
