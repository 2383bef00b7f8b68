import { evaluatePolicy, saveAgent, simpleEnv, summarize, trainAgent } from 'armature'
let [x, v] = [0, 0] // a cart on rails, to be brought to rest in the middle
const spec = { id: 'my/Cart-v0', observation: { x_m: [-9, 9], v_mps: [-9, 9] }, action: ['push'], maxEpisodeSteps: 50 }
const env = simpleEnv(spec, {
  reset: (rng) => [(x = rng.uniform(-1, 1)), (v = 0)],
  step: ([push = 0]) => ({ observation: [(x += 0.1 * (v += 0.2 * push)), v], reward: -x * x }),
})
const { agent, policy } = await trainAgent({ env, steps: 3000, onLog: console.log })
await saveAgent(agent, 'cart.safetensors')
console.log(summarize(await evaluatePolicy(env, policy, { episodes: 10, firstSeed: 0 })))
