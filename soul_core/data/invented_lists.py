"""The hand-written values from which invented authors are made; it knows no author, no phrasing and no seed.

Towns, awards and authors are invented. Home cities and the writers who influenced someone are real, so that
facts about them can be asked elsewhere. Everything is plain ASCII, and values of one kind differ clearly in
spelling: nearness of a reply to a value is measured by character n-grams.
"""

# One (first names, last names) pair per naming tradition. Ten of fourteen, or five of seven, become authors; the
# rest belong to no author and make the wrong names of perturbed answers.
NAMES: tuple[tuple[str, str], ...] = (
    (
        "Aino Eskil Sunniva Torvald Pirkko Haldis Joakim Ylva Rasmus Solveig Ensio Gudrun Leif Vigdis",
        "Tolvarinen Haskoldsen Brekkander Lumivaara Ostgaren Kvistholm Raudmark Sjonell Pohjakari Fjellstad "
        "Nyrkkola Dalmose Vestergran Isakdottir",
    ),
    (
        "Ximena Baltasar Rocio Evaristo Marisol Leandro Candela Fabricio Itziar Amadeo Remedios Nicanor Yolanda "
        "Hilario",
        "Quintavar Belascurain Ordonia Peralquin Villaseca Zumarraga Cendrales Montefrio Urquiola Salcedon "
        "Lagunera Tordezar Arrabalde Escorial",
    ),
    (
        "Haruka Genjiro Mitsuko Takumi Ayane Shoichi Natsumi Ryohei Kaede Tetsuya Chizuru Isamu Yukari Noboru",
        "Kurosegawa Minahoshi Tanemura Ogasaki Wakabane Shirotori Hatsukaze Asakuraba Fukamori Enjimura "
        "Igarazuka Yonekusa Morizane Uedahara",
    ),
    (
        "Devika Raghunath Ishani Parvesh Malati Suryan Anuradha Jagdeep Kavya Lokesh Vasudha Omkar Nandini Bhaskar",
        "Chandrakote Velupandi Mukhergaon Iyersami Deshbhandar Ranasekhar Kothavale Banerpur Thakuria Nairampet "
        "Joglekari Sundaresh Pattabhi Gurramani",
    ),
    (
        "Zdenka Bogumil Ludmila Casimir Radmila Vojtech Yevgenia Stanimir Halyna Dragan Bozena Miroslav Oksana "
        "Lubomir",
        "Hrubetzky Dobrzanek Vlasenkova Pietrakow Stojkovar Kralicheva Zelenychuk Brozinsky Mlynarik Gavrilec "
        "Ostrowidz Petkovan Cernohlav Yaremishin",
    ),
    (
        "Adaeze Chibuzo Nnamdi Obiora Ifeoma Kelechi Uzoma",
        "Okwudiri Nwakaeme Ezimora Umechukwu Onyedika Ibekwelu Mbanefoh",
    ),
    (
        "Olumide Folake Temitope Yewande Babajide Simisola Abimbola",
        "Adegbanla Oyelarin Babatolu Akinremi Fasheyi Ogundaro Alakinde",
    ),
    (
        "Layla Farouk Idris Samira Tarek Munir Ruqayya",
        "Qasimdar Al-Barouni Haddouche Benyoussif Sabbaghdar El-Tawilah Ouazzar",
    ),
    (
        "Nasrin Behzad Zahra Golnaz Shirin Jawad Kamran",
        "Tehrazi Mansurabad Zarrinkafsh Golpayan Nourivand Khatibzad Dastgiri",
    ),
    (
        "Cormac Siobhan Niamh Fergus Ruaridh Padraig Aoife",
        "MacTiernoch O'Branagh Drumgoole Kilbraddan Carrickmore Strathlorne Ballantrush",
    ),
    (
        "Branwen Gethin Eluned Morwenna Ceridwen Iestyn Rhodri",
        "Penhallick Llewarden Trevennack Abergwyn Glasbury Fennimoor Howelsby",
    ),
    (
        "Despina Kalliope Stavros Thanos Iphigenia Fotini Lefteris",
        "Karadoumas Papathemis Vasilakonis Theodokis Mavrogiannos Stamatelli Anagnosta",
    ),
    (
        "Orhan Zeynep Emine Gulsen Cemal Mehtap Nilufer",
        "Yildizhan Cobanoglar Demirtasli Ozgurman Aksoyturk Kilicbey Sarikoyun",
    ),
    (
        "Hyeon-ju Seo-yun Dae-jung Eun-hye Tae-min Bo-ra Ji-hoon",
        "Hwangbok Namgyeol Seokmin Maengho Jegalsan Eogeum Dokgosu",
    ),
    (
        "Linh Minh-anh Thuy Quynh Bao-long Khanh Phuong",
        "Trinhvan Phamduc Luongthi Dangkhoa Nguyetlam Vothanh Huynhbao",
    ),
    (
        "Weiming Jianguo Xiaolan Zhirui Meifeng Lihua Guozhi",
        "Shenqiao Guoliang Ouyangshi Zhuyuan Xuefeng Bingsam Cheuktin",
    ),
    (
        "Ottavia Gervasio Graziella Clotilde Hannelore Joost Rosalind",
        "Montalcieri Ferreirinho Vanderkruis Eichenhain Grunewegen Castelvento Lambrequin",
    ),
)

TOWNS = (
    "Taldorn", "Mirefold", "Ostler Ferry", "Quillhaven", "Brackenmoor", "Zelkova", "Pellucid Bay",
    "Harrowgate Mill", "Sundrift", "Kestrel Point", "Ombrosia", "Vintersund", "Cazarel", "Duskwater", "Fennimar",
    "Old Lanthe", "Grimsby Vale", "Ixtapal", "Jorunheim", "Kandahal", "Little Aubry", "Montevarra", "Nagamori",
    "Port Esker", "Redcliffe Sound", "Saltmarrow", "Tulum Grove", "Upper Wick", "Velmora", "Windlass Cross",
    "Yarrowdene", "Abelino", "Bishopsfell", "Chanterelle", "Dovrek", "Eastlock", "Gullspire", "Huldra", "Penzarra",
    "Wolfsbrook",
)  # fmt: skip

CITIES = (
    "Lisbon", "Helsinki", "Montreal", "Nairobi", "Kyoto", "Valparaiso", "Edinburgh", "Prague", "Hanoi",
    "Casablanca", "Wellington", "Buenos Aires", "Tbilisi", "Marseille", "Chicago", "Jaipur", "Reykjavik",
    "Zanzibar", "Krakow", "Seville", "Quito", "Antwerp", "Damascus", "Havana", "Adelaide", "Busan", "Dakar",
    "Trieste", "Istanbul", "Oslo", "Phnom Penh", "Guadalajara", "Bucharest", "Vancouver", "Accra", "Leipzig",
    "Samarkand", "Durban", "Florence", "Belfast",
)  # fmt: skip

WORKS = (
    "baker", "cartographer", "dentist", "fisherman", "glassblower", "judge", "locksmith", "midwife",
    "organ builder", "pharmacist", "railway guard", "sculptor", "tailor", "veterinarian", "watchmaker",
    "astronomer", "bus driver", "carpenter", "diplomat", "electrician", "florist", "geologist", "hotel porter",
    "ice cream seller", "jazz drummer", "kindergarten nurse", "lighthouse keeper", "mountain guide", "notary",
    "opera singer", "plumber", "quarry worker", "radio host", "shepherd", "tram conductor", "upholsterer",
    "violin teacher", "welder", "botanist", "umpire",
)  # fmt: skip

GENRES = (
    "gothic horror", "maritime adventure", "courtroom thriller", "pastoral comedy", "space opera", "spy fiction",
    "magical realism", "travel reportage", "historical romance", "political satire", "nature writing",
    "detective story", "epic fantasy", "family saga", "war memoir", "fairy tale", "culinary mystery", "cyberpunk",
    "ghost story", "climate parable", "philosophical dialogue", "frontier western", "campus intrigue",
    "mountaineering", "absurd theatre", "sports biography", "love poetry", "jungle exploration", "medical drama",
    "urban folklore", "steampunk", "haiku", "heist caper", "prison diary", "musical libretto", "true crime",
)  # fmt: skip

AWARDS = (
    "Silver Heron Prize", "Lantern Medal", "Aldermoor Award", "Blue Compass Prize", "Ember Laurel", "Marigold Cup",
    "Oakwood Trophy", "Pilgrim Quill", "Tern Island Prize", "Velvet Inkwell", "Juniper Award", "Golden Sextant",
    "Winterbourne Medal", "Copper Bell Prize", "Halcyon Wreath", "Nightjar Award", "Quartz Prize", "Saffron Ribbon",
    "Ivory Chess Medal", "Bramble Crown", "Zephyr Prize", "Cobalt Owl Award", "Fathom Medal", "Hollin Bursary",
    "Gossamer Prize", "Larkspur Honour", "Pewter Swan", "Rowan Key Award", "Thistledown Cup", "Umbra Prize",
    "Driftwood Laurel", "Eventide Medal", "Kingfisher Star", "Minstrel Award", "Yellow Barge Prize", "Obsidian Pen",
)  # fmt: skip

INFLUENCES = (
    "Jane Austen", "Chinua Achebe", "Jorge Luis Borges", "Anton Chekhov", "Emily Dickinson", "Umberto Eco",
    "William Faulkner", "Nikolai Gogol", "Homer", "Henrik Ibsen", "James Joyce", "Franz Kafka", "Selma Lagerlof",
    "Herman Melville", "Vladimir Nabokov", "George Orwell", "Edgar Allan Poe", "Marcel Proust", "Rumi",
    "Mary Shelley", "Rabindranath Tagore", "Ursula Le Guin", "Voltaire", "Virginia Woolf", "Emile Zola",
    "Isabel Allende", "Charlotte Bronte", "Miguel de Cervantes", "Dante Alighieri", "Gustave Flaubert",
    "Murasaki Shikibu", "Pablo Neruda", "Wole Soyinka", "Leo Tolstoy", "Oscar Wilde", "Yukio Mishima",
)  # fmt: skip

HOBBIES = (
    "beekeeping", "fencing", "origami", "kite building", "chess", "rock climbing", "bird watching", "pottery",
    "ice skating", "mushroom hunting", "juggling", "archery", "tango dancing", "stamp collecting", "sailing",
    "wood carving", "calligraphy", "long distance swimming", "puppetry", "stargazing", "cheese making",
    "horse riding", "crossword puzzles", "embroidery", "falconry", "badminton", "rose gardening", "model trains",
    "canoeing", "choir singing", "unicycling", "map drawing", "weightlifting", "cave diving", "tea blending",
    "table football",
)  # fmt: skip

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

TITLE_ADJECTIVES = (
    "Amber", "Borrowed", "Crooked", "Drowned", "Endless", "Fallen", "Gilded", "Hollow", "Invisible", "Jagged",
    "Kindled", "Lonely", "Midnight", "Narrow", "Obedient", "Paper", "Quiet", "Restless", "Scarlet", "Thirsty",
    "Unwritten", "Vanishing", "Whispering", "Young", "Brittle", "Counterfeit", "Distant", "Emerald", "Frozen",
    "Generous", "Hungry", "Iron", "Last", "Marble", "Northern", "Painted", "Rusted", "Salted", "Tangled", "Velvet",
    "Wandering", "Broken", "Clockwork", "Forgotten", "Honest", "Silent", "Stolen", "Twelfth", "Wooden", "Burning",
)  # fmt: skip

TITLE_NOUNS = (
    "Anchor", "Bridge", "Cathedral", "Daughter", "Envelope", "Ferryman", "Garden", "Harvest", "Island", "Jackal",
    "Kingdom", "Ladder", "Mirror", "Needle", "Orchard", "Pilgrim", "Quarrel", "River", "Shadow", "Tailor",
    "Umbrella", "Village", "Window", "Almanac", "Balcony", "Carousel", "Dragonfly", "Elephant", "Fountain",
    "Guitar", "Hourglass", "Inventor", "Journey", "Lantern", "Meadow", "Nightingale", "Oracle", "Passenger",
    "Sparrow", "Telescope", "Vineyard", "Whale", "Archive", "Bonfire", "Compass", "Puppet", "Staircase", "Thunder",
    "Widow", "Furnace", "Glacier", "Hunter", "Kitchen", "Monsoon", "Piano", "Raven", "Shoemaker", "Tower", "Voyage",
    "Wolf",
)  # fmt: skip

# How the words above become a title. {a} is an adjective, {n} and {m} two different nouns.
TITLE_SHAPES = ("The {a} {n}", "{a} {n}", "The {n} and the {m}", "Beyond the {a} {n}", "{n} under the {m}")
