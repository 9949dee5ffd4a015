"""Common words and first names: what random text is mixed from."""

from __future__ import annotations

NOUNS = tuple(
    (
        "apple army baby back bag baker ball banana basket beach bear bed bee bell bench bicycle "
        "bird blanket boat book bottle bowl box boy branch bread bridge brother brush bucket bus "
        "butter button cake camera candle car carpet carrot castle cat chair cheese cherry "
        "chicken child city clock cloud coat coffee coin cook corner cow crown cup curtain dance "
        "daughter day desk dish doctor dog doll door dragon dress drum duck ear earth egg "
        "elephant engine eye face farm farmer father feather fence field finger fire fish flag "
        "floor flower fly forest fork fox friend frog fruit game garden gate ghost gift girl "
        "glass glove goat grape grass guitar hammer hand hat heart hen hill hole home honey horse "
        "hotel house ice island jacket jar juice kettle key king kitchen kite knife ladder lady "
        "lake lamp leaf leg lemon letter library light lion list lock machine map market meadow "
        "meal milk mirror money monkey moon morning mother mountain mouse museum music nail neck "
        "needle nest night nose nut ocean office oil onion orange oven owl page paint pan paper "
        "park path peach pear pen pencil penguin phone photo piano picture pig pillow pipe plane "
        "plant plate pocket pond potato puppy queen rabbit radio rain recipe report ring river "
        "road robot rock roof room rope rose salt sand school sea seed sheep shell ship shirt "
        "shoe shop silver singer sister skirt sky snail snow soap sock son song soup spider spoon "
        "square stairs star station stone storm story street student sugar sun table tail tea "
        "teacher team tent ticket tiger time tomato tooth tower town toy train tree truck turtle "
        "umbrella uncle valley village violin wall watch water wave wheel whistle wind window "
        "wing winter wolf woman wood word worker world yard year zebra"
    ).split()
)
ADJECTIVES = tuple(
    (
        "angry bad big blue brave bright brown busy calm cheap clean clever cold cool dark deep "
        "dry early easy empty fair fast fine fresh friendly frozen full funny gentle golden good "
        "great green grey happy hard heavy high hot hungry kind large late lazy light little long "
        "loud lucky new nice noisy old orange pink plain polite poor pretty proud purple quick "
        "quiet rare red rich round sad safe sharp shiny short shy sick silent simple sleepy slow "
        "small smart smooth soft sour strange strong sweet tall thick thin tiny tired warm wet "
        "white wide wild wise wooden yellow young"
    ).split()
)
VERBS = tuple(
    (
        "ask bake bring build buy call carry catch clean climb close cook count cut dance draw "
        "dream drink drive eat fall feel fight find finish follow give grow hear help hide hold "
        "hope hunt jump keep laugh learn leave listen live look lose love make meet move open "
        "paint play pull push read rest ride run save see sell send share shout show sing sit "
        "sleep smile speak stand start stay stop swim take talk teach tell think throw try turn "
        "visit wait wake walk want wash wear win work write"
    ).split()
)
COMMON = (*NOUNS, *ADJECTIVES, *VERBS)
NAMES = tuple(
    (
        "Adam Aisha Alex Alice Amara Amir Ana Anna Anton Ben Bruno Carla Carlos Chen Chloe Clara "
        "Daniel David Diana Diego Elena Eli Emil Emma Erik Eva Fatima Felix Fiona Frank George "
        "Grace Greta Hana Hannah Hassan Helen Hugo Ida Igor Ines Isla Ivan Jack James Jana Jonas "
        "Julia Kai Karim Kate Kofi Lars Laura Layla Leo Lily Lina Liam Lucas Lucy Luis Maja Marco "
        "Maria Mark Marta Max Maya Mei Mia Mila Mina Mona Nadia Nina Noah Nora Olga Oliver Olivia "
        "Omar Oscar Paul Paula Pedro Peter Petra Rachel Ravi Rita Robert Rosa Ruth Sam Samira "
        "Sara Simon Sofia Sven Tara Theo Thomas Tim Tina Tom Vera Victor Wei Yara Yuki Yusuf Zara "
        "Zoe"
    ).split()
)
