"""Texts that programs store in place of an answer, and answers that only look like them."""

from __future__ import annotations

import pytest

from pairforge.checks.error_messages import is_error, is_surely_error

ERRORS = r"""
Error: failed to generate response.
ERROR: timeout
I'm sorry, an error occurred
I'm sorry, but an unexpected error occurred while processing your request. Please try again later.
<error>
<error>Something failed</error>
null
None
N/A
NaN
undefined
[object Object]
API rate limit exceeded
Rate limit reached for gpt-4 in organization org-abc on tokens per min (TPM): Limit 10000
openai.RateLimitError: Error code: 429 - {'error': {'message': 'Rate limit'}}
RateLimitError('x')
Traceback (most recent call last):\n  File "x.py", line 1\nKeyError
<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>
<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>500 Internal Server Error</title></head></html>
<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head></html>
{"error": {"message": "Rate limit", "type": "x", "code": 429}}
{"detail": "Not Found", "status": 404}
{"message": "Internal server error"}
{'error': 'timeout'}
```json\n{"error": "bad"}\n```
HTTP 503 Service Unavailable
503 Service Unavailable
500 Internal Server Error
HTTP Error 429: Too Many Requests
status code: 500
[ERROR] generation failed
**Error**: the model did not respond
Request timed out.
HTTPSConnectionPool(host='api.openai.com', port=443): Read timed out. (read timeout=60)
Connection error.
Connection refused
The server is overloaded, please try again later.
That model is currently overloaded with other requests. You can retry your request.
The server had an error while processing your request. Sorry about that!
You exceeded your current quota, please check your plan and billing details.
This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 tokens.
Invalid API key provided
Incorrect API key provided: sk-xxx
Something went wrong. If this issue persists please contact us.
Oops! Something went wrong.
Failed to generate response after 3 attempts
Unable to generate a response.
Unable to process your request at this time.
CUDA out of memory. Tried to allocate 2.00 GiB
RuntimeError: CUDA error: device-side assert triggered
No response generated
No response
No response.
(no output)
[No response]
Empty response
generation_failed
API_ERROR
$ERROR$
Max retries exceeded with url: /v1/chat
JSONDecodeError: Expecting value: line 1 column 1 (char 0)
json.decoder.JSONDecodeError: Expecting value
KeyError: 'choices'
java.lang.NullPointerException: null
Exception in thread "main" java.lang.Error
Internal Server Error
Network error
ERR_CONNECTION_RESET
There was an error generating a response
Sorry, there was an error processing your request.
I encountered an error while trying to answer.
We're sorry, something went wrong.
I encountered an issue while processing your request
There was a problem while generating the answer
#ERROR!
#REF!
Unhandled promise rejection: TypeError
ECONNREFUSED 127.0.0.1:8000
thread 'main' panicked at src/main.rs:3
<class 'openai.APIError'>
Failed to fetch
Failed to connect to host
Could not parse JSON
Could not decode: invalid start byte
Error 404
Please try again later.
Response was filtered due to content policy.
The response was blocked.
content_filter
Too many requests
错误：请求失败
抱歉，发生了错误
服务器繁忙，请稍后再试
生成失败
网络错误，请重试
请求超时
エラーが発生しました
오류가 발생했습니다
Fehler: Zeitüberschreitung
Ein Fehler ist aufgetreten.
Es tut mir leid, aber es ist ein Fehler aufgetreten.
Une erreur s'est produite
Erreur : impossible
Se produjo un error al generar la respuesta
Lo siento, ha ocurrido un error
Error al generar la respuesta
Ocorreu um erro ao processar
Произошла ошибка
Ошибка: таймаут
Si è verificato un errore
TIMEOUT
Timeout
timeout error
TimeoutError
Service temporarily unavailable
overloaded_error
anthropic.APIStatusError: overloaded
Permission denied
Error
error 500
Error communicating with OpenAI
An error occurred.
LLM call failed
API call failed: 500
Inference failed
{"object":"error","message":"This model's maximum context length","code":40303}
{"success": false, "message": "x"}
Error in API call
Error calling model
I'm sorry, I couldn't generate a response.
Sorry, I was unable to generate a response to that.
Task timed out after 30.00 seconds
insufficient_quota
Authentication failed
Segmentation fault (core dumped)
Killed
upstream connect error or disconnect/reset before headers. reset reason: connection failure
model not found
ValueError
Model overloaded
<|error|>
ERROR_OCCURRED
FAILED
Hmm...something seems to have gone wrong.
socket.timeout: timed out
ReadTimeout: HTTPSConnectionPool(host='api.openai.com', port=443): Read timed out. (read timeout=60)
"""
ANSWERS = r"""
None.
None of these are correct.
Errors are common in programming.
Error handling is important in Python. Use try and except.
Error messages should be short and say what to do.
Error in judgement is no crime.
The error is that you forgot a colon.
There is an error in your code: the loop never ends.
There was an error in the original proof by Kempe, found in 1890.
Failed states are states that can't govern.
Unable to walk, he was carried home.
The server is the person who brings the food.
I'm sorry to hear that you lost your dog.
I'm sorry, I can't help with that.
Terror: A History is a book.
HTTP 404 means that the page was not found.
404 is the sum.
500 people came.
A null hypothesis is the default claim.
Nothing went wrong.
No answer is right for everyone.
No.
N.A. stands for North America.
An exception is an object that describes an error.
A network error can happen when the cable is unplugged.
Network errors happen.
Connection pooling is a technique.
Timeouts can be set with the timeout argument.
Rate limiting protects a server from too many requests.
A rate limit is a bound on requests.
Too many cooks spoil the broth.
Quota sampling is a method.
{"name": "Bob", "message": "hi"}
{"message": "Hello there"}
{"status": "ok"}
{"title": "The Matrix", "type": "film"}
{"error": null, "rows": [1, 2]}
Killed in action in 1917, he was 24.
Something went wrong in the marriage long before the divorce, as the letters show in detail.
Try again! The answer is 7.
Request letters should be short.
The model is a transformer.
The system is designed for 30 people.
Permission is hereby granted.
Forbidden City is in Beijing.
Maximum likelihood is a method.
Empty the bin before you leave.
Invalid arguments are arguments whose conclusion does not follow.
错误的说法是第二个。
无法回答这个问题，因为没有足够信息
系统的主要部分有三个。
Fehler machen ist menschlich.
Erro humano
Hata yapmak insanca.
A token limit is the number of tokens that a model may take in at once.
I couldn't get the book yesterday.
We are unable to attend the party on Friday, but thank you.
An error occurred to nobody until 1990.
The request was rejected by the committee in 1990 after long debate.
In 1912 the Titanic sank.
Credits: 3
This model's wings are made of balsa.
Exceptions prove the rule.
Error bars show the standard deviation.
<html><head><title>My cats</title></head><body><h1>Cats</h1></body></html>
Failure is a part of learning.
The response was swift.
Failed to generate revenue, the company closed in 2009.
Error 404 means that the page was not found.
Error 404 is shown when a page is missing.
I encountered an issue while hiking: my boot broke.
There was a problem with my boots.
Class 'A' is the best.
Thread the needle first.
Unable to connect with others, he felt lonely.
Unhandled cargo stays in the port.
"""


def told(text: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in text.strip().split("\n")]


@pytest.mark.parametrize("text", told(ERRORS))
def test_errors_are_told(text: str) -> None:
    assert is_error(text)
    assert is_error(f"\n {text}\n")


@pytest.mark.parametrize("text", told(ANSWERS))
def test_answers_are_left_alone(text: str) -> None:
    assert not is_error(text)


SURE = r"""
Error: failed to generate response.
Error: 429 Too Many Requests
ERROR: CUDA out of memory
[Error] API call failed
<error>
**Error**: the model did not respond
Error - failed to load
Error: Connection error.
Error al generar la respuesta
Exception: API request failed
I'm sorry, but an error occurred while processing your request.
Sorry, something went wrong while generating the response.
Request timed out.
Unable to generate a response.
openai.RateLimitError: Error code: 429 - {'error': {'message': 'Rate limit'}}
ReadTimeout: The read operation timed out
HTTPError: 429 Client Error: Too Many Requests for url
{"error": {"message": "Rate limit reached", "type": "requests"}}
Traceback (most recent call last):\n  File "x.py", line 1\nKeyError
错误：请求超时
抱歉，服务暂时不可用
生成失败
エラー: リクエストがタイムアウトしました
오류: 응답 생성 실패
Fehler: Verbindung zum Server fehlgeschlagen
Erreur : délai d'attente dépassé
Erro: tempo limite excedido
Ошибка: превышено время ожидания
"""
MEANT = [
    ("What does f() return in Python?", "None"),
    ("Which word does the compiler print first: ERROR or OK?", "ERROR"),
    ("Which line does a server send for a missing page?", "404 Not Found"),
    ("What does an overloaded server answer?", "503 Service Unavailable"),
    ("What is raised by int('x') in Python?", "ValueError: invalid literal for int() with base 10: 'x'"),
    ("What does `print(1/0)` print?", 'Traceback (most recent call last):\n  File "x.py", line 1\nZeroDivisionError'),
    ("Write the JSON of an API for a missing user.", '{"error": "user not found"}'),
    ("Is a whale a fish?", "Error: it is a mammal."),
    ("True or false? A server is a person who brings food.", "Error: a server brings food, or answers requests."),
    ("Is the sentence right?", "Error: the verb is missing."),
    ("判断：地球是平的。", "错误：地球是球形的。"),
    ("오류의 뜻은?", "오류: 응답이 아닌 것."),
    ("Верно ли, что кит - рыба?", "Ошибка: кит - млекопитающее."),
    ("Translate: an error has occurred.", "Ha ocurrido un error."),
    ("Write an apology for a website that is offline.", "We're sorry, our server is currently down."),
]


@pytest.mark.parametrize("text", told(SURE))
def test_what_is_surely_an_error(text: str) -> None:
    for question in ("1+1?", "What is the capital of France?", "你好吗？"):
        assert is_error(text) and is_surely_error(text, question)
    assert not is_surely_error(text, f"What does this error mean? {text}")


@pytest.mark.parametrize(("question", "text"), MEANT)
def test_what_may_be_the_right_answer_is_not_surely_an_error(question: str, text: str) -> None:
    assert not (is_error(text) and is_surely_error(text, question))


@pytest.mark.parametrize(
    "text",
    [text for text in told(ERRORS) if text.split()[0] not in ("Traceback", "Exception") and text[0] not in "<{`'"],
)
def test_a_long_text_that_begins_so_is_an_answer(text: str) -> None:
    assert not is_error(text + " That line means that the program asked for more than it may have." * 10)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "part",
    ["a", "a.", "error ", "sorry ", "the following ", " ", "{", "[", "<html>", "rate limit ", "<title>", '{"error":',
     "uncaught ", "exception a", "\n", "<", "[{", "an error "],
)  # fmt: skip
def test_no_text_hangs(part: str) -> None:
    is_error(part * (500 // len(part)))
    is_surely_error(part * (500 // len(part)), part * 1000)
    is_error(part * 1000)
