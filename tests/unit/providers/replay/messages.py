"""A recorded stream of the messages API, put together to the message that would have come whole."""

import json

_GROWS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}


def whole_of(events):
    """Return the message, by a few lines that know nothing of par."""
    message, texts = {}, {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = json.loads(json.dumps(event["message"]))
            case "content_block_start":
                message["content"].append(dict(event["content_block"]))
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                if delta["type"] in _GROWS:
                    block[_GROWS[delta["type"]]] += delta[_GROWS[delta["type"]]]
                elif delta["type"] == "citations_delta":
                    block["citations"] = [*(block.get("citations") or []), delta["citation"]]
                else:
                    texts[event["index"]] = texts.get(event["index"], "") + delta["partial_json"]
            case "message_delta":
                message.update({key: value for key, value in event.items() if key not in ("type", "delta", "usage")})
                message.update(event["delta"])
                message["usage"].update(event["usage"])
    for index, text in texts.items():
        if text:
            message["content"][index]["input"] = json.loads(text)
    return message
