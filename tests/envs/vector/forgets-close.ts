import { extname } from 'node:path'
import { makeVectorEnv } from '../../../envs/vector/index.ts'

/** Uses threads and never closes them; the process must end all the same. */
const module = new URL(`./odd-envs${extname(import.meta.url)}`, import.meta.url).href
const envs = await makeVectorEnv('test/Odd-v0', { numEnvs: 2, workers: 1, module })
await envs.reset({ seed: 1 })
const { rewards } = await envs.step(new Float32Array(2))
process.stdout.write(JSON.stringify([...rewards]))
