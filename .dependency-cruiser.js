export default {
  forbidden: [],
  options: { tsPreCompilationDeps: true, doNotFollow: { path: "node_modules" } },
};
