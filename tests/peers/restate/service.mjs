// The workloads as a Restate service: what `windlass-load restate` calls.
import "./polyfill.mjs";

const restate = await import("@restatedev/restate-sdk");

const fib = (n) => (n <= 1 ? n : fib(n - 1) + fib(n - 2));

const bench = restate.service({
  name: "bench",
  handlers: {
    steps: async (ctx, { count }) => {
      for (let n = 0; n < count; n++) {
        await ctx.run("step", () => Math.random());
      }
    },
    fib: async (ctx, { tasks, n }) => {
      for (let task = 0; task < tasks; task++) {
        await ctx.run("fib", () => fib(n));
      }
    },
    wait: async (ctx, { ms }) => {
      await ctx.sleep(ms);
    },
  },
});

await restate.serve({ services: [bench], port: Number(process.argv[2]) });
