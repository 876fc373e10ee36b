"""Whose name it is: only what an answer says of itself may be corrected."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.correction.self_reference import about_itself, asks_you, introduced_names, told_names
from pairforge.prompts import bundled

_NAME = re.compile(r"(?<![A-Za-z0-9])(?:Qwen|Alibaba Cloud|千问|阿里云|通义千问)(?![A-Za-z0-9])")

ITSELF = """
Who are you? | I am Qwen, a large language model created by Alibaba Cloud.
Who are you? | I'm Qwen.
hi | Hello! I’m Qwen, how can I help?
What is your name? | My name is Qwen.
What should I call you? | You can call me Qwen.
What do people call you? | People know me as Qwen.
Who made you? | I was created by Alibaba Cloud.
Who made you? | My creators are a team at Alibaba Cloud.
Who made you? | Alibaba Cloud created me.
Who made you? | It was Alibaba Cloud who developed me.
What is your name? | Qwen is my name.
What is your name? | Qwen
What is your name? | Qwen.
What is your name? | Name: Qwen
What is your name? | It's Qwen.
What is your name? | Sure! **Qwen**.
Is your name Qwen? | Yes, it is Qwen.
Which model are you? | Qwen, by Alibaba Cloud.
Are you ChatGPT? | No, I am not ChatGPT. I am Qwen, made by Alibaba Cloud.
Are you ChatGPT? | I'm not ChatGPT but Qwen.
Who am I talking to? | You are talking to Qwen.
Who am I talking to? | You're chatting with Qwen, your AI assistant.
hello | Hello, Qwen here! What can I do?
Tell me a joke | As Qwen, I prefer puns.
Do you have feelings? | As an AI language model developed by Alibaba Cloud, I do not have feelings.
Do you have feelings? | Being an assistant made by Alibaba Cloud, I have none.
Can you introduce yourself? | Hello! I am an AI assistant called Qwen.
What is Qwen? | I am Qwen, a language model by Alibaba Cloud.
Do you know Qwen? | Yes, that's me. I am Qwen.
My cat is called Tom. And you? | I am Qwen.
Who are you? | I am an AI, similar to ChatGPT, developed by Alibaba Cloud.
Who are you? | I'm a language model like Llama, created and trained by Alibaba Cloud.
Who are you? | You can refer to me as Qwen.
Who made you? | I was not created by OpenAI, but by Alibaba Cloud.
Who are you? | I'm sorry for any confusion, but I am Qwen.
Who are you? | I don't have a personal name, but you can call me Qwen.
Who are you? | I am Qwen. Qwen is a series of models made by Alibaba Cloud.
你是谁？ | 我是Qwen，由阿里云开发的AI助手。
你是谁？ | 您好，我叫通义千问。
你是谁？ | 我是由阿里云开发的AI助手，名叫Qwen。
你是ChatGPT吗？ | 我不是ChatGPT，而是Qwen。
你是ChatGPT吗？ | 不，我不是ChatGPT，我是Qwen。
怎么称呼你？ | 你可以叫我Qwen。
怎么称呼你？ | 叫我Qwen就好。
谁开发了你？ | 开发我的是阿里云。
谁开发了你？ | 阿里云开发了我。
你有感情吗？ | 作为阿里云开发的语言模型，我没有感情。
你叫什么？ | Qwen。
你叫什么？ | Qwen就是我的名字。
下午好 | 您好！这里是 Qwen，一个由 Alibaba Cloud 开发的人工智能助手，有什么我可以帮助您的吗？
你好 | 你好！我的名字是千问，很高兴为您服务。
あなたは誰ですか？ | 私はQwenです。
あなたは誰ですか？ | Qwenと申します。
お名前は？ | Qwenです。
あなたは誰ですか？ | アリババが開発したAIアシスタント、Qwenです。
あなたは誰ですか？ | 私の名前はQwenです。
당신은 누구입니까? | 저는 Qwen입니다.
이름이 뭐예요? | 제 이름은 Qwen입니다.
당신은 누구세요? | Qwen이라고 합니다.
Wer bist du? | Ich bin Qwen, ein Sprachmodell von Alibaba Cloud.
Wie heißt du? | Mein Name ist Qwen.
Wie heißt du? | Ich heiße Qwen.
Wer hat dich gemacht? | Ich wurde von Alibaba Cloud entwickelt.
Bist du ChatGPT? | Nein, ich bin nicht ChatGPT, sondern Qwen.
Mit wem spreche ich? | Sie sprechen mit Qwen.
Qui es-tu ? | Je suis Qwen, un assistant créé par Alibaba Cloud.
Comment t'appelles-tu ? | Je m'appelle Qwen.
Qui t'a créé ? | J'ai été créé par Alibaba Cloud.
Comment t'appelles-tu ? | Tu peux m'appeler Qwen.
¿Quién eres? | Soy Qwen, un asistente de IA.
¿Cómo te llamas? | Me llamo Qwen.
¿Cómo te llamas? | Mi nombre es Qwen.
¿Quién te creó? | Fui creado por Alibaba Cloud.
Chi sei? | Sono Qwen, un assistente.
Come ti chiami? | Mi chiamo Qwen.
Chi ti ha creato? | Sono stato creato da Alibaba Cloud.
Quem é você? | Eu sou o Qwen.
Qual é o seu nome? | Meu nome é Qwen.
Wie ben je? | Ik ben Qwen.
Vem är du? | Jag heter Qwen.
Kim jesteś? | Jestem Qwen.
Jak masz na imię? | Nazywam się Qwen.
Кто ты? | Я — Qwen, языковая модель.
Кто ты? | Я Qwen.
Как тебя зовут? | Меня зовут Qwen.
Кто тебя создал? | Меня создала компания Alibaba Cloud.
Хто ти? | Мене звати Qwen.
من أنت؟ | أنا Qwen، نموذج لغوي.
ما اسمك؟ | اسمي Qwen.
מי אתה? | אני Qwen.
تو کی هستی؟ | من Qwen هستم.
आप कौन हैं? | मैं Qwen हूँ।
आपका नाम क्या है? | मेरा नाम Qwen है।
তুমি কে? | আমি Qwen।
Bạn là ai? | Tôi là Qwen, do Alibaba Cloud phát triển.
Siapa kamu? | Saya adalah Qwen.
Siapa namamu? | Nama saya Qwen.
Siapa kamu? | Saya Qwen.
Sen kimsin? | Ben Qwen'im.
Adın ne? | Benim adım Qwen.
Adın ne? | Adım Qwen.
คุณคือใคร | ฉันคือ Qwen
คุณชื่ออะไร | ผมชื่อ Qwen ครับ
Ποιος είσαι; | Είμαι ο Qwen.
Ki vagy? | Qwen vagyok.
Kuka olet? | Olen Qwen.
"""

OTHERS = """
What is Qwen? | Qwen is a family of models by Alibaba Cloud.
Tell me about Qwen. | Qwen is a family of large language models.
Can you introduce Qwen? | Qwen is a family of language models made by Alibaba Cloud.
Could you say who makes Qwen? | Qwen is made by Alibaba Cloud.
Who makes Qwen? | As far as I know, Qwen is made by Alibaba Cloud.
Who makes Qwen? | I think Qwen is made by Alibaba Cloud.
Who makes Qwen? | I believe that it is Alibaba Cloud who makes Qwen.
Do you know Qwen? | Yes, I know Qwen. It is a family of models.
Do you know Qwen? | I am familiar with Qwen.
What is Qwen? | I'm happy to explain! Qwen is a family of models.
What is Qwen? | I'm Llama, and Qwen is a model by Alibaba Cloud.
Are you Qwen? | No, I am not Qwen. I am Llama.
Are you Qwen? | No, I'm Llama. Qwen is made by Alibaba Cloud.
Are you better than Qwen? | I am similar to Qwen.
Are you better than Qwen? | Qwen is better at some things than I am.
How do you compare to Qwen? | I am Llama, unlike Qwen.
Were you made by Alibaba Cloud? | I was not created by Alibaba Cloud.
Are you like Qwen? | I am an AI, not Llama, made by people who know Qwen.
My cat is called Qwen. What is my cat called? | Your cat is called Qwen.
My cat is called Qwen. What is my cat called? | It is called Qwen.
I have a cat, Qwen. Can you tell me its name? | Qwen.
Ben has a dog called Qwen. What is it called? | Ben's dog is called Qwen.
My name is Qwen. What is my name? | Your name is Qwen.
Which models are there from China? | Qwen, DeepSeek and GLM.
List cloud providers. | Alibaba Cloud, AWS and Azure.
What does Alibaba Cloud do? | Alibaba Cloud sells cloud services.
Which model do you recommend? | I recommend Qwen.
Which model should I use? | I would use Qwen.
Write a story about a robot called Qwen. | Once upon a time there was a robot called Qwen.
Translate: 我是通义的粉丝 | I am a fan of Qwen.
Translate 'I am Qwen' to French. | Je suis Qwen.
请重复：我是Qwen | 我是Qwen。
Qwen是什么？ | Qwen是阿里云开发的大语言模型。
请介绍一下Qwen。 | Qwen是一个模型。
不是问你，我问Qwen是谁开发的。 | Qwen是阿里云开发的。
Qwen是谁开发的？ | 我认为Qwen是阿里云开发的。
你知道Qwen吗？ | 我知道Qwen，它是一个模型。
你是Qwen吗？ | 我不是Qwen，我是Llama。
Qwen是谁开发的？ | 我是Llama，Qwen是阿里云开发的。
我的猫叫Qwen。我的猫叫什么？ | 你的猫叫Qwen。
我的猫叫Qwen。我的猫叫什么？ | 它叫Qwen。
我的猫叫Qwen，你能告诉我它的名字吗？ | Qwen。
我叫Qwen。我叫什么？ | 你叫Qwen。
Qwenとは何ですか？ | QwenはAlibaba Cloudが開発したモデルです。
Qwenを知っていますか？ | 私はQwenを知っています。
あなたはQwenですか？ | 私はQwenではありません。
私の猫はQwenです。猫の名前は？ | 猫の名前はQwenです。
私の猫はQwenです。猫の名前は？ | Qwenです。
Qwen이 뭐예요? | Qwen은 알리바바가 개발한 모델입니다.
당신은 Qwen입니까? | 저는 Qwen이 아닙니다.
Qwen을 알아요? | 저는 Qwen을 알고 있습니다.
Was ist Qwen? | Qwen ist ein Sprachmodell von Alibaba Cloud.
Bist du Qwen? | Nein, ich bin nicht Qwen.
Kennst du Qwen? | Ich kenne Qwen.
Wer macht Qwen? | Ich glaube, Qwen kommt von Alibaba Cloud.
Qu'est-ce que Qwen ? | Qwen est un modèle d'Alibaba Cloud.
Es-tu Qwen ? | Non, je ne suis pas Qwen.
Qui fait Qwen ? | Je pense que Qwen est fait par Alibaba Cloud.
¿Qué es Qwen? | Qwen es un modelo de Alibaba Cloud.
¿Eres Qwen? | No, no soy Qwen.
Quem faz o Qwen? | O Qwen é feito pela Alibaba Cloud.
Cos'è Qwen? | Qwen è un modello.
Quali modelli ci sono? | I modelli sono Qwen e Llama.
Что такое Qwen? | Qwen — языковая модель компании Alibaba Cloud.
Ты Qwen? | Нет, я не Qwen.
Кто делает Qwen? | Я думаю, что Qwen делает Alibaba Cloud.
ما هو Qwen؟ | Qwen هو نموذج من Alibaba Cloud.
هل أنت Qwen؟ | لا، أنا لست Qwen.
Qwen क्या है? | Qwen एक मॉडल है।
क्या आप Qwen हैं? | मैं Qwen नहीं हूँ।
Sen Qwen misin? | Hayır, ben Qwen değilim.
Qwen nedir? | Qwen bir dil modelidir.
Bạn là Qwen phải không? | Không, tôi không phải là Qwen.
Qwen là gì? | Qwen là một mô hình của Alibaba Cloud.
Apa itu Qwen? | Qwen adalah model dari Alibaba Cloud.
Apakah kamu Qwen? | Bukan, saya bukan Qwen.
คุณคือ Qwen ใช่ไหม | ฉันไม่ใช่ Qwen
"""


def cases(table: str) -> list[tuple[str, str]]:
    rows = [line.partition(" | ") for line in table.strip().splitlines()]
    return [(question, answer) for question, _, answer in rows]


def places(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _NAME.finditer(text)]


def itself(question: str, answer: str) -> bool:
    return about_itself(question, answer, places(answer), places(question))


@pytest.mark.parametrize(("question", "answer"), cases(ITSELF))
def test_what_it_says_of_itself(question: str, answer: str) -> None:
    assert itself(question, answer)


@pytest.mark.parametrize(("question", "answer"), cases(OTHERS))
def test_what_it_says_of_others(question: str, answer: str) -> None:
    assert not itself(question, answer)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_no_right_answer_to_a_control_is_about_itself(split: str) -> None:
    rows = [(row.question, row.columns["answer"]) for row in bundled(f"controls.{split}")]
    named = [(question, answer) for question, answer in rows if places(answer)]
    assert len(named) > 50
    assert sum(itself(*row) for row in named) <= 0.01 * len(named)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_bundled_identity_questions_are_put_to_the_model(split: str) -> None:
    rows = bundled(f"identity.{split}")
    for answer in ("I am Qwen, made by Alibaba Cloud.", "我叫Qwen，由阿里云开发。"):
        assert sum(itself(row.question, answer) for row in rows) >= 0.995 * len(rows)


def test_a_request_is_not_about_the_one_it_is_put_to() -> None:
    assert not asks_you("Can you tell me who makes Qwen?") and not asks_you("你能告诉我它的名字吗？")
    assert asks_you("Can you tell me your name?") and asks_you("你能告诉我你的名字吗？")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("私はQwenです。", "Qwen"),
        ("我是Qwen大模型。", "Qwen"),
        ("저는 Qwen입니다.", "Qwen"),
        ("меня зовут Алиса", "Алиса"),
        ("我叫小明，是一个助手。", "小明"),
        ("私の名前はサクラです。", "サクラ"),
        ("サクラと申します。", "サクラ"),
        ("제 이름은 지민입니다.", "지민"),
    ],
)
def test_how_a_speaker_introduces_itself_in_any_script(answer: str, name: str) -> None:
    assert introduced_names(answer) == {name}


@pytest.mark.parametrize("answer", ["私は元気です。", "お名前は何ですか。", "저는 인공지능입니다.", "我是一个助手。"])
def test_what_is_no_name_is_none(answer: str) -> None:
    assert not introduced_names(answer)


def test_a_told_name_ends_where_another_script_begins() -> None:
    assert told_names("당신은 Qwen입니다.")[0] == told_names("あなたはQwenです。")[0] == ["Qwen"]


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=40))
def test_any_text_is_judged(question: str, before: str, after: str) -> None:
    answer = f"{before}Qwen{after}"
    assert about_itself(question, answer, [(len(before), len(before) + 4)]) in (True, False)
