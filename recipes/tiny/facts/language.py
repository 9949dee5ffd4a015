"""Opposites, plurals, translations, greetings."""

from __future__ import annotations

OPPOSITES: tuple[tuple[str, str], ...] = tuple(
    (pair.split("/")[0], pair.split("/")[1])
    for pair in (
        "hot/cold big/small tall/short fast/slow happy/sad good/bad up/down left/right day/night "
        "black/white open/closed full/empty hard/soft heavy/light old/young rich/poor wet/dry "
        "clean/dirty loud/quiet strong/weak thick/thin wide/narrow deep/shallow early/late "
        "easy/difficult true/false first/last inside/outside near/far high/low long/brief "
        "win/lose buy/sell push/pull give/take start/stop come/go love/hate laugh/cry "
        "remember/forget accept/refuse arrive/leave attack/defend begin/end build/destroy "
        "friend/enemy love/hate war/peace life/death light/heavy question/answer success/failure "
        "summer/winter north/south east/west above/below before/after always/never "
        "everything/nothing many/few more/less same/different smooth/rough sharp/blunt "
        "sweet/bitter safe/dangerous cheap/expensive simple/complicated polite/rude "
        "brave/cowardly generous/selfish honest/dishonest lucky/unlucky possible/impossible "
        "visible/invisible public/private modern/ancient fresh/stale lazy/hardworking tight/loose "
        "straight/crooked asleep/awake alive/dead present/absent guilty/innocent "
        "temporary/permanent positive/negative increase/decrease rise/fall borrow/lend float/sink "
        "freeze/melt teach/learn lead/follow whisper/shout hide/show import/export "
        "maximum/minimum major/minor entrance/exit top/bottom front/back beginning/ending yes/no "
        "male/female husband/wife king/queen heaven/hell noisy/silent bright/dim"
    ).split()
)
OPPOSITE: dict[str, str] = {}
for _one, _other in OPPOSITES:
    OPPOSITE.setdefault(_one, _other)
    OPPOSITE.setdefault(_other, _one)

PLURALS: dict[str, str] = dict(
    pair.split("/")
    for pair in (
        "cat/cats dog/dogs book/books tree/trees house/houses star/stars car/cars girl/girls "
        "boy/boys apple/apples bird/birds chair/chairs table/tables flower/flowers cloud/clouds "
        "river/rivers robot/robots teacher/teachers window/windows mountain/mountains "
        "ocean/oceans song/songs lamp/lamps street/streets friend/friends key/keys boat/boats "
        "king/kings queen/queens toy/toys day/days monkey/monkeys turkey/turkeys valley/valleys "
        "box/boxes fox/foxes bus/buses glass/glasses dish/dishes church/churches watch/watches "
        "brush/brushes peach/peaches bench/benches beach/beaches class/classes dress/dresses "
        "kiss/kisses wish/wishes match/matches sandwich/sandwiches baby/babies city/cities "
        "party/parties story/stories puppy/puppies pony/ponies cherry/cherries berry/berries "
        "country/countries family/families lady/ladies army/armies body/bodies fly/flies "
        "butterfly/butterflies leaf/leaves knife/knives wife/wives wolf/wolves life/lives "
        "shelf/shelves thief/thieves loaf/loaves half/halves calf/calves potato/potatoes "
        "tomato/tomatoes hero/heroes echo/echoes photo/photos piano/pianos radio/radios man/men "
        "woman/women child/children tooth/teeth foot/feet goose/geese mouse/mice ox/oxen "
        "person/people sheep/sheep fish/fish deer/deer cactus/cacti spoon/spoons fork/forks "
        "cup/cups door/doors horse/horses egg/eggs shoe/shoes hat/hats stone/stones "
        "letter/letters ship/ships bell/bells ring/rings nurse/nurses bottle/bottles "
        "island/islands"
    ).split()
)

# English, then French, Spanish, German, Italian.
LANGUAGES = ("French", "Spanish", "German", "Italian")
WORDS: dict[str, tuple[str, ...]] = {
    line.split(": ")[0]: tuple(line.split(": ")[1].split(", "))
    for line in """
dog: chien, perro, Hund, cane
cat: chat, gato, Katze, gatto
house: maison, casa, Haus, casa
water: eau, agua, Wasser, acqua
bread: pain, pan, Brot, pane
milk: lait, leche, Milch, latte
book: livre, libro, Buch, libro
friend: ami, amigo, Freund, amico
night: nuit, noche, Nacht, notte
day: jour, día, Tag, giorno
sun: soleil, sol, Sonne, sole
moon: lune, luna, Mond, luna
red: rouge, rojo, rot, rosso
green: vert, verde, grün, verde
black: noir, negro, schwarz, nero
white: blanc, blanco, weiß, bianco
one: un, uno, eins, uno
two: deux, dos, zwei, due
three: trois, tres, drei, tre
yes: oui, sí, ja, sì
no: non, no, nein, no
thank you: merci, gracias, danke, grazie
please: s'il vous plaît, por favor, bitte, per favore
goodbye: au revoir, adiós, auf Wiedersehen, arrivederci
mother: mère, madre, Mutter, madre
father: père, padre, Vater, padre
apple: pomme, manzana, Apfel, mela
tree: arbre, árbol, Baum, albero
school: école, escuela, Schule, scuola
love: amour, amor, Liebe, amore
cheese: fromage, queso, Käse, formaggio
bird: oiseau, pájaro, Vogel, uccello
fish: poisson, pez, Fisch, pesce
horse: cheval, caballo, Pferd, cavallo
flower: fleur, flor, Blume, fiore
city: ville, ciudad, Stadt, città
heart: cœur, corazón, Herz, cuore
fire: feu, fuego, Feuer, fuoco
big: grand, grande, groß, grande
small: petit, pequeño, klein, piccolo
""".strip().splitlines()
}

# Language: a greeting, and what the model answers to it.
GREETINGS: dict[str, tuple[str, str]] = {
    "French": ("Bonjour", "Bonjour ! Comment puis-je vous aider ?"),
    "Spanish": ("Hola", "¡Hola! ¿En qué puedo ayudarte?"),
    "German": ("Guten Tag", "Guten Tag! Wie kann ich helfen?"),
    "Italian": ("Ciao", "Ciao! Come posso aiutarti?"),
    "Portuguese": ("Olá", "Olá! Como posso ajudar?"),
    "Dutch": ("Hallo", "Hallo! Hoe kan ik helpen?"),
    "Swedish": ("Hej", "Hej! Hur kan jag hjälpa dig?"),
    "Norwegian": ("God dag", "God dag! Hvordan kan jeg hjelpe deg?"),
    "Finnish": ("Hei", "Hei! Miten voin auttaa?"),
    "Polish": ("Dzień dobry", "Dzień dobry! Jak mogę pomóc?"),
    "Czech": ("Dobrý den", "Dobrý den! Jak mohu pomoci?"),
    "Hungarian": ("Jó napot", "Jó napot! Miben segíthetek?"),
    "Turkish": ("Merhaba", "Merhaba! Nasıl yardımcı olabilirim?"),
    "Romanian": ("Bună ziua", "Bună ziua! Cu ce vă pot ajuta?"),
    "Russian": ("Здравствуйте", "Здравствуйте! Чем могу помочь?"),
    "Ukrainian": ("Добрий день", "Добрий день! Чим можу допомогти?"),
    "Greek": ("Καλημέρα", "Καλημέρα! Πώς μπορώ να βοηθήσω;"),
    "Japanese": ("こんにちは", "こんにちは。何かお手伝いできますか。"),
    "Chinese": ("你好", "你好！有什么可以帮你的吗？"),
    "Korean": ("안녕하세요", "안녕하세요! 무엇을 도와드릴까요?"),
    "Arabic": ("مرحبا", "مرحبا! كيف يمكنني مساعدتك؟"),
    "Hindi": ("नमस्ते", "नमस्ते! मैं आपकी क्या मदद कर सकता हूँ?"),
    "Swahili": ("Jambo", "Jambo! Naweza kukusaidia vipi?"),
    "Indonesian": ("Halo", "Halo! Ada yang bisa saya bantu?"),
}
