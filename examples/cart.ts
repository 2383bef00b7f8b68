// The env of own-env.ts for the command line: armature train sac --env my/Cart-v0 --module cart.ts
import type { Env } from 'armature'
import { registerEnv, simpleEnv } from 'armature'

const spec = { id: 'my/Cart-v0', observation: { x_m: [-9, 9], v_mps: [-9, 9] }, action: ['push'], maxEpisodeSteps: 50 }

/** A cart on rails with its own place and speed: training and evaluation have one each. */
function makeCart(): Env {
  let [x, v] = [0, 0]
  return simpleEnv(spec, {
    reset: (rng) => [(x = rng.uniform(-1, 1)), (v = 0)],
    step: ([push = 0]) => ({ observation: [(x += 0.1 * (v += 0.2 * push)), v], reward: -x * x }),
    // With these two, a run that is stopped goes on in the middle of an episode.
    save: () => [x, v],
    restore: (saved) => ([x, v] = saved as [number, number]),
  })
}

registerEnv(spec.id, { summary: 'a cart on rails, to be brought to rest in the middle', make: makeCart })
