"""The push scene of `armature bench` in MuJoCo: hand, puck and rim of the same sizes, masses, damping and forces. See docs/performance.md.

    python3 bench/compare_mujoco.py [--threads N] [--repetitions N] [--only NAME,...]

Prints one JSON object with medians under the names of `armature bench`: steps per second with 64x64 pixels, and the milliseconds of a step
without. A step is 1/20 s in 12 steps of 1/240 s, all of them in one call of MuJoCo, by a random action, with the state read and rewarded;
every 50th step is followed by a reset. Pixels are drawn without shadows, by Mesa in memory unless MUJOCO_GL names something else; where that
is not there, physics alone is timed, and "note" says why.
"""

import json
import math
import os

from compare_harness import arguments, median_ms

ARGS = arguments(["env_steps_per_s", "env_push_puck_physics_ms"])
os.environ.setdefault("MUJOCO_GL", "osmesa")
# Mesa's rasteriser: none draws in the thread that asks.
os.environ.setdefault("LP_NUM_THREADS", str(ARGS.threads if ARGS.threads > 1 else 0))

import numpy as np  # noqa: E402

try:
    import mujoco
except Exception as error:  # Whatever the import of a library of OpenGL that is not there ends with.
    NO_PIXELS = f"physics alone: MUJOCO_GL={os.environ['MUJOCO_GL']} does not load ({error}), install Debian's libosmesa6"
    os.environ["MUJOCO_GL"] = "disable"
    import mujoco
else:
    NO_PIXELS = None

SUBSTEPS, EPISODE_STEPS, STEPS_PER_RUN = 12, 50, 200
ACTION_M, LEAD_M = 0.02, 0.03
HAND_BOX = np.array([0.226, 0.196])
HAND_GOAL_BOX, PUCK_GOAL_BOX = np.array([0.1, 0.05]), np.array([0.12, 0.09])
SIZE = 64

# As in PushPuck: table and rim touch the puck alone, the hand reaches over the rim. Linear damping of 100 per second is 20 Ns/m for 0.2 kg.
SCENE = f"""
<mujoco model="push">
  <option timestep="{1 / 240}" integrator="implicitfast"/>
  <visual><global offwidth="{SIZE}" offheight="{SIZE}"/></visual>
  <asset>
    <texture name="checker" type="2d" builtin="checker" rgb1=".23 .24 .27" rgb2=".28 .3 .32" width="64" height="64"/>
    <material name="table" texture="checker" texrepeat="4 4"/>
  </asset>
  <worldbody>
    <light directional="true" castshadow="false" pos="0 0 1" dir=".25 -.35 -1"/>
    <camera name="front" pos="0 -.2 .82" xyaxes="1 0 0 0 .971 .24" fovy="35"/>
    <geom type="plane" size=".4 .4 .05" material="table" contype="0" conaffinity="1"/>
    <geom type="box" size=".19 .005 .005" pos="0 .155 .005" contype="0" conaffinity="1"/>
    <geom type="box" size=".19 .005 .005" pos="0 -.155 .005" contype="0" conaffinity="1"/>
    <geom type="box" size=".005 .15 .005" pos=".185 0 .005" contype="0" conaffinity="1"/>
    <geom type="box" size=".005 .15 .005" pos="-.185 0 .005" contype="0" conaffinity="1"/>
    <body name="puck" pos="0 0 .015">
      <joint type="slide" axis="1 0 0" damping="20"/>
      <joint type="slide" axis="0 1 0" damping="20"/>
      <joint type="slide" axis="0 0 1"/>
      <joint type="hinge" axis="0 0 1" damping=".005"/>
      <geom type="cylinder" size=".05 .015" mass=".2" rgba=".96 .24 .16 1" contype="1" conaffinity="2"/>
    </body>
    <body name="hand" pos="0 -.14 .037" gravcomp="1">
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="y" type="slide" axis="0 1 0" ref="-.14"/>
      <joint name="z" type="slide" axis="0 0 1"/>
      <geom type="cylinder" size=".04 .025" mass=".5" rgba=".47 .9 1 1" friction=".5" contype="2" conaffinity="0"/>
    </body>
  </worldbody>
  <actuator>
    <position joint="x" kp="5000" kv="200" forcerange="-30 30"/>
    <position joint="y" kp="5000" kv="200" forcerange="-30 30"/>
    <position joint="z" kp="5000" kv="200" forcerange="-30 30"/>
  </actuator>
</mujoco>
"""


class Push:
    """The scene with actions, rewards and resets; with a renderer its observations have pixels."""

    def __init__(self, renderer=None):
        self.model = mujoco.MjModel.from_xml_string(SCENE)
        self.data = mujoco.MjData(self.model)
        self.renderer = renderer(self.model) if renderer else None
        self.bodies = [self.model.body(name).id for name in ("hand", "puck")]
        self.rng = np.random.default_rng(0)
        self.reset()

    def reset(self):
        mujoco.mj_resetData(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)
        self.data.ctrl[:2] = self.data.xpos[self.bodies[0], :2]
        self.steps = 0
        self.goal = np.concatenate([self.rng.uniform(-box, box) for box in (HAND_GOAL_BOX, PUCK_GOAL_BOX)])
        return self.observe()

    def observe(self):
        state = self.data.xpos[self.bodies, :2].ravel()
        if self.renderer is None:
            return state, None
        self.renderer.update_scene(self.data, camera="front")
        return state, self.renderer.render()

    def step(self, action):
        hand = self.data.xpos[self.bodies[0], :2]
        target = self.data.ctrl[:2]
        lead = np.clip(target + ACTION_M * action, -HAND_BOX, HAND_BOX) - hand
        target[:] = hand + lead * min(1, LEAD_M / max(math.hypot(*lead), 1e-9))
        mujoco.mj_step(self.model, self.data, SUBSTEPS)
        self.steps += 1
        state, frame = self.observe()
        dx, dy, puck_dx, puck_dy = state - self.goal
        return state, frame, -math.hypot(dx, dy) - math.hypot(puck_dx, puck_dy), self.steps == EPISODE_STEPS


def random_play(env):
    def run():
        for _ in range(STEPS_PER_RUN):
            *_, truncated = env.step(env.rng.uniform(-1, 1, 2))
            if truncated:
                env.reset()

    return run


def main():
    result = {}
    if "env_push_puck_physics_ms" in ARGS.only:
        result["env_push_puck_physics_ms"] = round(median_ms(random_play(Push()), ARGS.repetitions) / STEPS_PER_RUN, 5)
    if "env_steps_per_s" in ARGS.only and NO_PIXELS is None:
        env = Push(lambda model: mujoco.Renderer(model, SIZE, SIZE))
        result["env_steps_per_s"] = round(1000 * STEPS_PER_RUN / median_ms(random_play(env), ARGS.repetitions), 1)
    print(json.dumps({**result, **({"note": NO_PIXELS} if NO_PIXELS else {}), "library": f"mujoco {mujoco.__version__}", "threads": ARGS.threads}))


main()
