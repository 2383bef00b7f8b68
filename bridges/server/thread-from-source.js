// Entry of a thread where it runs from the sources: Node 20 starts no .ts file in a thread, whatever loaders the process has.
import { register } from 'tsx/esm/api'

register()
await import(process.argv[2])
