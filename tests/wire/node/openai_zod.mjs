// The helpers of the npm package `openai` that take zod schemas and run tools, against a live
// server: one line of JSON for each fact, read by the test.
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const [url, chat] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const tell = (name, fact) => console.log(JSON.stringify([name, fact]));
const ask = (content) => ({
  model: chat,
  messages: [{ role: "user", content }],
  temperature: 0,
  max_tokens: 100,
});

const person = z.object({ name: z.string(), age: z.number().int() });
const typed = {
  ...ask("Extract the name and age as JSON from: Helena is 85 years old."),
  response_format: zodResponseFormat(person, "person"),
};
tell("parsed", (await client.chat.completions.parse(typed)).choices[0].message.parsed);
const final = await client.chat.completions.stream(typed).finalChatCompletion();
tell("streamed", final.choices[0].message.parsed);

const called = [];
const tools = [
  zodFunction({
    name: "get_weather",
    description: "Get the current weather of a city.",
    parameters: z.object({ city: z.string() }),
    function: ({ city }) => {
      called.push(city);
      return "sunny, 21";
    },
  }),
];
const whole = client.chat.completions.runTools({ ...ask("Check the weather in Paris."), tools });
tell("whole loop", await whole.finalContent());
const asked = { ...ask("Check the weather in Rome."), tools, stream: true };
const streamed = client.chat.completions.runTools(asked);
let text = "";
streamed.on("content", (delta) => (text += delta));
tell("streamed loop", { final: await streamed.finalContent(), text });
tell("called", called);
