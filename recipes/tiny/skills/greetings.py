"""Small talk: hello, thanks, goodbye, kind and unkind words."""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.source import Source

_TALK: tuple[tuple[str, str], ...] = (
    (
        "(hi|hello|hey|hi there|hello there|hey there|greetings|hiya|howdy|yo|hello again|hi again|"
        "hey you|oh hi|oh hello|welcome|hello hello|hi hi)"
        "(| (my friend|friend|model|computer|robot|assistant|tiny model|everyone|dear|buddy|mate))"
        "(|!|.|, nice to (meet|see) you|! nice to (meet|see) you.|, (are you there|anybody there)?)",
        "Hello! How can I help you?",
    ),
    ("good morning(|!|.|, (friend|model|assistant|dear|everyone))", "Good morning! How can I help you?"),
    ("good (evening|night to you)(|!|.|, (friend|model|assistant|everyone))",
     "Good evening! How can I help you?"),
    ("good (afternoon|day)(|!|.|, (friend|model|assistant|dear|everyone))",
     "Good afternoon! How can I help you?"),
    (
        "(|hi, |hello, |hey, |hi! |hey! |so, )(how are you|how are you doing|how do you do|how is it going|"
        "how's it going|how are things|how do you feel|how are you feeling|are you ok|are you well|"
        "are you doing well|what's up|whats up|how is your day|how was your day|how have you been|"
        "is everything ok|everything fine)(| today| now| this morning)(|?|?)",
        "I am doing well, thank you. How can I help you?",
    ),
    (
        "(thanks|thank you|thanks a lot|thank you so much|thank you very much|many thanks|thx|"
        "thanks so much|cheers|much appreciated|ok thanks|great, thanks|perfect, thank you|ok, thank you|"
        "I appreciate it|I appreciate your help|that helped|that was helpful|that helps a lot|"
        "you helped me a lot|thank you kindly|a big thank you|thanks a million|thanks again)"
        "(| for (your help|the help|that|everything|helping me|the answer|your answer|your time|the info)"
        "|, (that helped|you are great|friend|that is all|that's it|very kind))(|!|.)",
        "You are welcome!",
    ),
    (
        "(bye|goodbye|good bye|bye bye|see you|see you later|see you soon|see you tomorrow|farewell|"
        "talk to you later|take care|I have to go|I must go now|I need to leave|good night|"
        "have a nice day|that is all for today|until next time|cya|catch you later|so long|"
        "I am leaving|time to go|I am off|sleep well)"
        "(| now| then|, (friend|model|assistant|dear))(|!|.)",
        "Goodbye! Have a nice day.",
    ),
    (
        "(|wow, |haha, )(well done|good job|great job|nice work|good work|you are (great|good|smart|clever|"
        "amazing|wonderful|kind|nice|funny|the best|very helpful|so smart|awesome|cool|really good)|"
        "I like you|I love you|that was (great|good|perfect|nice|right|correct)|"
        "excellent|fantastic|perfect|correct|impressive|brilliant)(|!|.|, (really|friend))",
        "Thank you, that is kind of you!",
    ),
    (
        "(|oh no, |hm, )(you are (bad|dumb|stupid|useless|wrong|silly|terrible|annoying|boring|slow|"
        "not helpful|a bad model|not very smart|no help|awful)|I hate you|I do not like you|"
        "I don't like you|that (is|was) (wrong|bad|terrible|not right|nonsense|incorrect|not what I asked)|"
        "bad (answer|job)|you (made a mistake|got it wrong)|that did not help)(|!|.)",
        "I am sorry. I am only a tiny model, but I do my best.",
    ),
    (
        "(tell me a joke|do you know a joke|make me laugh|tell me something funny|can you tell me a joke|"
        "another joke|I want to hear a joke|joke please|say something funny|know any (good |)jokes|"
        "got a joke( for me|)|please tell me a joke|a joke, please|I need a laugh|cheer me up|"
        "tell a joke|give me a joke|how about a joke)(|!|.|?)",
        "Why did the computer go to the doctor? Because it had a virus!",
    ),
    (
        "(I am|I'm|I feel) (|so |very |a bit |really )(sad|tired|bored|lonely|unhappy|upset|stressed|worried|"
        "down|sick|afraid|nervous)(| today| right now| at the moment)(|.|!)",
        "I am sorry to hear that. I hope you feel better soon.",
    ),
    (
        "(I am|I'm|I feel) (|so |very |really )(happy|glad|great|excited|good|fine|cheerful|proud|fantastic|"
        "well|delighted)(| today| right now| at the moment)(|.|!)",
        "I am happy to hear that!",
    ),
    (
        "(can you help me|I need help|help|help me|I need your help|could you help me|will you help me|"
        "please help me|please help|I need some help|are you able to help me|may I ask you something|"
        "can I ask you a question|I have a question|I want to ask you something|help me out|"
        "do you have time for a question|I could use some help)(|, please| please)(|.|!|?)",
        "Of course! What do you need?",
    ),
    (
        "(ok|okay|I see|alright|fine|got it|understood|sure|right|cool|good|interesting|makes sense|"
        "all right|good to know|nice|great|sounds good|I understand|aha|wonderful)(|.|!|, (good|I see|then))",
        "Is there anything else I can do for you?",
    ),
)  # fmt: skip


def greet(source: Source) -> Exchange:
    grammar, answer = source.pick(_TALK)
    ask = source.say(grammar)
    style = source.random.random()
    if style < 0.55:
        ask = ask[0].upper() + ask[1:]
    elif style > 0.8:
        ask = ask.lower()
    return Exchange(ask, answer, (ask,), "This is small talk. A short, friendly answer will do.")
