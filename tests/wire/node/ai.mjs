// Vercel's AI SDK against a live server, by its own OpenAI provider and by the one for compatible
// servers: one line of JSON for each fact, read by the test.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [url, chat] = process.argv.slice(2);
globalThis.AI_SDK_LOG_WARNINGS = false; // generateObject is still used, though deprecated
process.noDeprecation = true;

const baseURL = `${url}/v1`;
const models = {
  compatible: createOpenAICompatible({
    name: "mullama",
    baseURL,
    includeUsage: true,
    supportsStructuredOutputs: true,
  }).chatModel(chat),
  openai: createOpenAI({ baseURL, apiKey: "none" }).chat(chat),
};

const person = z.object({ name: z.string(), age: z.number().int() });
const tools = {
  get_weather: tool({
    description: "Get the current weather of a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async () => ({ temperature: 21, condition: "sunny" }),
  }),
  multiply: tool({
    description: "Multiply two numbers.",
    inputSchema: z.object({ left: z.number().int(), right: z.number().int() }),
    execute: async ({ left, right }) => left * right,
  }),
};
const stated = "Extract the name and age as JSON from: Helena is 85 years old.";

const told = (steps) =>
  steps.map((step) => ({
    reason: step.finishReason,
    calls: step.toolCalls.map((call) => [call.toolName, call.input]),
    results: step.toolResults.map((result) => result.output),
  }));

for (const [who, model] of Object.entries(models)) {
  const tell = (name, fact) => console.log(JSON.stringify([`${who} ${name}`, fact]));
  const asked = { model, temperature: 0, maxOutputTokens: 100, maxRetries: 0 };

  tell("object", (await generateObject({ ...asked, schema: person, prompt: stated })).object);
  const typed = { ...asked, output: Output.object({ schema: person }), prompt: stated };
  const output = await generateText(typed);
  tell("output", { value: output.output, usage: output.usage.outputTokens });

  const partial = [];
  const object = streamText(typed);
  for await (const value of object.partialOutputStream) partial.push(value);
  tell("partial", { first: partial[0], last: partial.at(-1), n: partial.length });

  const weather = Output.choice({ options: ["sunny", "rainy"] });
  const choice = await generateText({ ...asked, output: weather, prompt: "JSON: result is sunny" });
  tell("choice", choice.output);

  let text = "";
  const words = streamText({ ...asked, prompt: "What is the capital of France?" });
  for await (const piece of words.textStream) text += piece;
  tell("text", { text, reason: await words.finishReason, usage: (await words.usage).outputTokens });

  const loop = { ...asked, tools, stopWhen: stepCountIs(4) };
  const whole = await generateText({ ...loop, prompt: "Check the weather in Paris." });
  tell("loop", { text: whole.text, steps: told(whole.steps) });

  const stream = streamText({ ...loop, prompt: "Calculate 12 times 7." });
  const kinds = new Set();
  for await (const part of stream.fullStream) kinds.add(part.type);
  const steps = told(await stream.steps);
  tell("streamed loop", { text: await stream.text, steps, kinds: [...kinds] });

  const made = async (toolChoice) => {
    const answer = await generateText({ ...asked, tools, toolChoice, prompt: "Say hello." });
    return answer.toolCalls.map((call) => [call.toolName, call.input]);
  };
  tell("required", await made("required"));
  tell("named", await made({ type: "tool", toolName: "multiply" }));
}
