#!/usr/bin/env node
import { keepCompiledCode } from "@sluice/shared/runtime/compiled-code.ts";

keepCompiledCode(process.env);
await import("./commands.ts");
