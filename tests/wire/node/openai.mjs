// The official npm client against a live server: one line of JSON for each fact, read by the test.
import OpenAI from "openai";

const [url, chat, embed] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "Hi" }];
const asked = { model: chat, messages, max_tokens: 8, temperature: 0 };
const tell = (name, fact) => console.log(JSON.stringify([name, fact]));

const failure = async (work) => {
  try {
    await work();
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
};

const whole = await client.chat.completions.create(asked);
tell("whole", { text: whole.choices[0].message.content, usage: whole.usage, id: whole._request_id });

let streamed = "";
let usage = null;
const stream = await client.chat.completions.create({
  ...asked,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
tell("streamed", { text: streamed, usage });

const accumulated = await client.chat.completions.stream(asked).finalChatCompletion();
tell("accumulated", { text: accumulated.choices[0].message.content });

const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "Get the current weather of a city.",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const question = [{ role: "user", content: "What is the weather in Paris?" }];
const offered = { ...asked, messages: question, max_tokens: 64, tools };
const choices = [
  (await client.chat.completions.create(offered)).choices[0],
  (await client.chat.completions.stream(offered).finalChatCompletion()).choices[0],
];
tell(
  "called",
  choices.map(({ message, finish_reason: reason }) => ({
    reason,
    content: message.content,
    calls: (message.tool_calls ?? []).map((call) => [call.function.name, call.function.arguments]),
    named: (message.tool_calls ?? []).every((call) => call.id && call.type === "function"),
  })),
);

const completion = await client.completions.create({ model: chat, prompt: ["a", "b"], max_tokens: 4 });
tell("completion", { indexes: completion.choices.map((choice) => choice.index) });

const vectors = await client.embeddings.create({ model: embed, input: ["one", "two"] });
const numbers = await client.embeddings.create({
  model: embed,
  input: ["one", "two"],
  encoding_format: "float",
});
tell("embeddings", {
  encoded: vectors.data.map((one) => Array.from(one.embedding)),
  numbers: numbers.data.map((one) => one.embedding),
});

const names = [];
for await (const model of client.models.list()) names.push(model.id);
tell("models", names);

tell("missing", await failure(() => client.models.retrieve("nope")));
tell("wrong", await failure(() => client.chat.completions.create({ model: chat, messages: [] })));

const aborted = await client.chat.completions.create({ ...asked, stream: true });
for await (const _ of aborted) aborted.controller.abort();
tell("aborted", aborted.controller.signal.aborted);
