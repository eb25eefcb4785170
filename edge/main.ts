#!/usr/bin/env node
import { keepCompiledCode } from "@sluice/shared/runtime/compiled-code.ts";
import { frugalStart } from "./frugal-start.ts";

keepCompiledCode(process.env);
const image = frugalStart(process);
if (image !== undefined) process.execve?.(image.path, image.args, image.env);
await import("./commands.ts");
