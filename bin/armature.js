#!/usr/bin/env node
import { existsSync } from 'node:fs'

const main = new URL('../dist/src/cli/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write(
    'armature: not built: run "npm run build", or "npm run armature -- <command>" from the sources\n',
  )
  process.exitCode = 2
}
