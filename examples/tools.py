"""The model asks for a function; the program runs it and hands the result back."""

import json

import litellm

import litellm_qwen_ai  # noqa: F401  # registers the route qwen_ai/

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city now",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


def get_weather(city: str) -> str:
    """Look the weather up."""
    return json.dumps({"city": city, "celsius": 21, "sky": "clear"})


messages = [{"role": "user", "content": "What is the weather in Paris?"}]
while True:
    response = litellm.completion(model="qwen_ai/coder-model", messages=messages, tools=TOOLS)
    message = response.choices[0].message
    messages.append(message)
    if not message.tool_calls:
        print(message.content)
        break
    for call in message.tool_calls:
        print(f"calling {call.function.name}({call.function.arguments})")
        result = get_weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
