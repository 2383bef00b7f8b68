import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

/** Loaded before a program: kills the process, as `kill -9` would, once it has logged a row that contains `DIE_AT_ROW`. */
const row = process.env['DIE_AT_ROW']!
const write = fs.writeSync
fs.writeSync = ((...args: Parameters<typeof write>) => {
  const written = write(...args)
  if (
    ArrayBuffer.isView(args[1]) &&
    Buffer.from(args[1].buffer, args[1].byteOffset, args[1].byteLength).includes(row)
  ) {
    process.kill(process.pid, 'SIGKILL')
  }
  return written
}) as typeof write
syncBuiltinESMExports()
