"""Colours, sounds, definitions, emoji."""

from __future__ import annotations

COLOURS: dict[str, str] = {
    thing: colour
    for colour, things in {
        "red": "blood,a strawberry,a ruby,a fire engine,a ripe tomato,a poppy",
        "yellow": "a banana,a lemon,a sunflower,corn,butter,an egg yolk",
        "green": "grass,a frog,broccoli,spinach,a cucumber,an emerald,a leaf",
        "blue": "the sky,the sea,a sapphire,a blueberry,a cornflower",
        "white": "snow,milk,salt,chalk,a swan,a polar bear,cotton,flour",
        "black": "coal,a raven,the night,a tyre,a panther",
        "orange": "a carrot,a pumpkin,an orange,a tangerine,a goldfish",
        "purple": "an eggplant,a plum,lavender,an amethyst",
        "pink": "a flamingo,a pig,bubble gum,a salmon fillet",
        "brown": "chocolate,soil,wood,coffee,a chestnut,a brown bear",
        "grey": "an elephant,a mouse,ash,a dolphin,concrete",
    }.items()
    for thing in things.split(",")
}
MIXES: dict[tuple[str, str], str] = {
    ("red", "yellow"): "orange",
    ("blue", "yellow"): "green",
    ("blue", "red"): "purple",
    ("red", "white"): "pink",
    ("black", "white"): "grey",
    ("green", "red"): "brown",
}
SOUNDS: dict[str, str] = dict(
    pair.split("/")
    for pair in (
        "dog/woof cat/meow cow/moo sheep/baa pig/oink duck/quack horse/neigh donkey/hee-haw "
        "rooster/cock-a-doodle-doo hen/cluck chick/cheep mouse/squeak lion/roar wolf/howl "
        "frog/ribbit bee/buzz snake/hiss owl/hoot crow/caw pigeon/coo goose/honk turkey/gobble "
        "bird/tweet goat/maa monkey/ooh-ooh cricket/chirp elephant/trumpet"
    ).split()
)
DEFINITIONS: dict[str, str] = dict(
    line.split(": ")
    for line in """
a lamp: a device that gives light
a clock: a device that shows the time
a bridge: a structure that carries a road over a river or a valley
a map: a drawing that shows where places are
a library: a place where books are kept and lent
a hospital: a place where sick people are treated
a school: a place where children learn
a museum: a building where interesting objects are shown
a bakery: a shop that makes and sells bread
a farm: a piece of land where crops and animals are raised
a doctor: a person who treats sick people
a teacher: a person who helps others learn
a baker: a person who makes bread and cakes
a farmer: a person who grows crops and raises animals
a pilot: a person who flies aircraft
a judge: a person who decides cases in a court
a poet: a person who writes poems
an island: a piece of land with water all around it
a desert: a dry place where very little rain falls
a volcano: a mountain that can throw out hot rock and ash
a river: a long stream of water that flows to the sea
a lake: a large body of water with land around it
a forest: a large area covered with trees
a glacier: a huge mass of ice that moves slowly
a planet: a large round body that travels around a star
a star: a huge ball of hot gas that shines
a galaxy: a very large group of stars
a comet: a ball of ice and dust that travels around the sun
the sun: the star at the centre of our solar system
the moon: the natural satellite of the earth
gravity: the force that pulls things towards each other
energy: the ability to do work
electricity: a form of energy carried by moving charges
light: a kind of energy that our eyes can see
sound: a vibration that we can hear
heat: energy that moves from warm things to cold things
water: a clear liquid that all living things need
ice: water that is frozen solid
steam: water in the form of a hot gas
rain: water that falls from clouds in drops
snow: soft white flakes of ice that fall from clouds
a rainbow: an arc of colours made by sunlight and rain
a storm: bad weather with strong wind and rain
an earthquake: a sudden shaking of the ground
photosynthesis: the way plants use light to make food
a seed: the part of a plant from which a new plant grows
a root: the part of a plant that takes in water from the soil
a fruit: the part of a plant that holds its seeds
a mammal: a warm-blooded animal that feeds its young with milk
a reptile: a cold-blooded animal with dry, scaly skin
an insect: a small animal with six legs
a bird: an animal with feathers and wings
a fish: an animal that lives in water and breathes with gills
a spider: a small animal with eight legs
a dinosaur: a reptile that lived millions of years ago
a fossil: the remains of a very old living thing, kept in rock
the heart: the organ that pumps blood through the body
the brain: the organ that thinks and controls the body
a lung: an organ that we breathe with
a bone: a hard part of the skeleton
a muscle: a part of the body that makes it move
a cell: the smallest unit of a living thing
an atom: the smallest piece of a chemical element
a molecule: a group of atoms joined together
oxygen: a gas that we need to breathe
gold: a heavy yellow metal that is worth a lot
iron: a strong grey metal used to make steel
glass: a hard, clear material made from sand
paper: a thin material made from wood, used to write on
plastic: a light material that can be made into any shape
a wheel: a round object that turns to move things
an engine: a machine that turns fuel into motion
a computer: a machine that works with information
a program: a list of instructions for a computer
an algorithm: a step-by-step way to solve a problem
a database: an organised collection of data
a server: a computer that answers requests from other computers
a browser: a program that shows web pages
the internet: a worldwide network of computers
a password: a secret word that lets you in
a robot: a machine that can do tasks by itself
a variable: a name for a value that can change
a loop: a part of a program that repeats
a function: a named piece of a program that does one task
a language model: a program that predicts the next piece of a text
a token: a small piece of text, such as a word or a part of one
a number: a word or sign that says how many
a fraction: a part of a whole number
a triangle: a shape with three sides
a square: a shape with four equal sides
a circle: a round shape with every point equally far from its centre
a cube: a solid with six equal square faces
a noun: a word that names a person, a place or a thing
a verb: a word that names an action
an adjective: a word that describes a noun
a sentence: a group of words that says something complete
a poem: a text written in lines, often with rhyme
a novel: a long story in a book
a joke: a short story that makes people laugh
music: sounds arranged so that they please the ear
a song: music with words that are sung
a guitar: an instrument with six strings
a piano: an instrument with black and white keys
a drum: an instrument that is played by hitting it
chess: a board game in which two players try to trap a king
football: a game in which two teams kick a ball into a goal
money: what people use to pay for things
a bank: a business that keeps and lends money
a market: a place where people buy and sell things
a law: a rule that everyone in a country must follow
democracy: a system in which the people choose their government
peace: a time without war
history: the study of the past
science: the study of nature by asking and testing
mathematics: the study of numbers, shapes and patterns
a vaccine: a medicine that protects against a disease
sleep: a natural state of rest for body and mind
a dream: a series of pictures in the mind during sleep
friendship: a warm bond between people who like each other
""".strip().splitlines()
)
EMOJI: dict[str, str] = dict(
    pair.split("/")
    for pair in (
        "dog/🐶 cat/🐱 bird/🐦 fish/🐟 heart/❤️ snow/❄️ sun/☀️ moon/🌙 star/⭐ fire/🔥 tree/🌳 flower/🌸 "
        "apple/🍎 banana/🍌 pizza/🍕 cake/🎂 coffee/☕ car/🚗 train/🚆 house/🏠 book/📚 music/🎵 ball/⚽ "
        "gift/🎁 clock/⏰ key/🔑 rocket/🚀 robot/🤖 ghost/👻 smile/😀 horse/🐴 frog/🐸 lion/🦁 bee/🐝 "
        "rainbow/🌈 rain/🌧️ umbrella/☂️ bread/🍞 cheese/🧀 grapes/🍇"
    ).split()
)
