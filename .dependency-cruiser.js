// The import rules of the tree. Each has a reason; test/tidy.test.ts checks that every .ts file was seen.

const stages = {
  edge: "ingest|buffer|decode|features|inference|sync|models|status",
  cloud: "lake|dataset|training|evaluation|registry|rollout|drift",
};

const door = (name, packages, rooms) => ({
  name: `door-${name}`,
  comment: `${packages.join(", ")} has one door: ${rooms.join(", ")}`,
  severity: "error",
  from: { path: "^(edge|cloud|shared|simulators)/", pathNot: rooms.map((room) => `^${room}`) },
  to: { path: packages.map((name) => `node_modules/${name}/`) },
});

export default {
  forbidden: [
    {
      name: "shared-imports-nothing-outside",
      severity: "error",
      from: { path: "^shared/" },
      to: { path: "^(edge|cloud|simulators|test)/" },
    },
    {
      name: "contract-imports-only-itself",
      severity: "error",
      from: { path: "^shared/contract/" },
      to: { path: "^shared/", pathNot: "^shared/contract/" },
    },
    {
      name: "engines-import-only-contract",
      severity: "error",
      from: { path: "^shared/(features|model)/" },
      to: { path: "^shared/", pathNot: ["^shared/contract/", "^shared/$1/"] },
    },
    {
      name: "pure-means-no-built-ins",
      severity: "error",
      from: { path: "^shared/(contract|features|model)/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "edge-and-cloud-meet-in-bytes",
      severity: "error",
      from: { path: "^(edge|cloud)/" },
      to: { path: "^(edge|cloud)/", pathNot: "^$1/" },
    },
    {
      name: "edge-stages-never-import-stages",
      severity: "error",
      from: { path: `^edge/(${stages.edge})/` },
      to: { path: `^edge/`, pathNot: ["^edge/$1/", "^edge/node_modules/"] },
    },
    {
      name: "cloud-stages-never-import-stages",
      severity: "error",
      from: { path: `^cloud/(${stages.cloud})/` },
      to: { path: `^cloud/`, pathNot: ["^cloud/$1/", "^cloud/node_modules/"] },
    },
    {
      name: "simulators-know-only-the-contract",
      severity: "error",
      from: { path: "^simulators/" },
      to: { path: "^(edge|cloud|shared)/", pathNot: "^shared/(contract|runtime)/" },
    },
    {
      name: "nothing-imports-test",
      severity: "error",
      from: { pathNot: "^test/" },
      to: { path: "^test/" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "nothing-unresolved", severity: "error", from: {}, to: { couldNotResolve: true } },
    door("mqtt", ["aedes", "mqtt", "mqtt-packet"], ["edge/ingest/", "simulators/"]),
    door("sql", ["better-sqlite3"], ["edge/buffer/"]),
    door("arrow", ["apache-arrow"], ["shared/codec/"]),
    door("s3", ["@aws-sdk", "@smithy"], ["shared/store/"]),
    door("lake", ["@duckdb", "parquet-wasm"], ["cloud/lake/"]),
    door("tensorflow", ["@tensorflow"], ["cloud/training/"]),
    door(
      "zod",
      ["zod"],
      ["shared/contract/", "[a-z/-]+/settings\\.ts$", "(edge|cloud|simulators)/config\\.ts$"],
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    parser: "swc",
    doNotFollow: { path: "node_modules" },
    exoticRequireStrings: [],
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json", ".node"],
    },
  },
};
