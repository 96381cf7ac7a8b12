/** How one program, as its project builds it, shows its version. */
export interface ProgramPattern {
  /** Base names of the program's file. */
  readonly file: RegExp;
  /** Texts (as bytes, one per character) near which the version stands; the search for them is fast. */
  readonly anchors: readonly string[];
  /** Finds the version, as its only group that matches, near an anchor. Linear: the neighbourhood is short. */
  readonly version: RegExp;
  readonly namespace?: string;
  readonly name: string;
  /** Vendor and product in the NVD's dictionary. */
  readonly cpe: readonly [vendor: string, product: string];
  readonly supplier?: string;
}

/**
 * Programs that official images compile from source, so that no package manager knows them. Each line was made from
 * the constants that the program's own sources put into it.
 */
export const programPatterns: readonly ProgramPattern[] = [
  {
    file: /^node$/,
    anchors: ['node.js/v', '\0node v'],
    version: /node(?:\.js\/| )v(\d+\.\d+\.\d+)/,
    name: 'node',
    cpe: ['nodejs', 'node.js'],
    supplier: 'OpenJS Foundation',
  },
  {
    file: /^(?:python\d+\.\d+m?|libpython\d\.\d+m?\.so(?:\.[\d.]+)?)$/,
    anchors: ['\x003.', '\x002.7.'],
    version: /\0((?:2\.7|3\.\d{1,2})\.\d{1,2}(?:(?:a|b|rc)\d+)?\+?)\0/,
    name: 'python',
    cpe: ['python', 'python'],
    supplier: 'Python Software Foundation',
  },
  {
    file: /^redis-server$/,
    // Version, host name and time of the build in one text, or beside the name of the atomics in use.
    anchors: ['-16', '-17', '-18', '\0c11-builtin', '\0atomic-builtin', '\0sync-builtin'],
    version: /\D(\d+\.\d+\.\d+)(?=[\w.]{1,64}-\d{10,19}\0|\0(?:c11|atomic|sync)-builtin\0)/,
    name: 'redis',
    cpe: ['redis', 'redis'],
    supplier: 'Redis Ltd.',
  },
  {
    file: /^valkey-server$/,
    anchors: ['-16', '-17', '-18'],
    version: /\D(\d+\.\d+\.\d+)(?=[\w.]{1,64}-\d{10,19}\0)/,
    name: 'valkey',
    cpe: ['lfprojects', 'valkey'],
    supplier: 'LF Projects',
  },
  {
    file: /^nginx(?:-debug)?$/,
    anchors: ['nginx version: '],
    version: /nginx version: [^/\0]{1,40}\/(\d+\.\d+\.\d+(?:\+\d+)?(?:-\d+)?)/,
    name: 'nginx',
    cpe: ['f5', 'nginx'],
    supplier: 'F5',
  },
  {
    file: /^postgres$/,
    anchors: ['\0PostgreSQL '],
    version: /\0PostgreSQL (\d+(?:\.\d+){0,2}(?:(?:alpha|beta|rc)\d)?)/,
    name: 'postgresql',
    cpe: ['postgresql', 'postgresql'],
    supplier: 'PostgreSQL Global Development Group',
  },
  {
    file: /^java$/,
    anchors: ['\0openjdk\0', '\0java\0'],
    version: /\0java\0+\d[\d.]{0,8}\0+(\d[\w.+-]{2,40})\0/,
    namespace: 'oracle',
    name: 'openjdk',
    cpe: ['oracle', 'openjdk'],
  },
  {
    file: /^php(?:\d+(?:\.\d+)*)?$/,
    anchors: ['X-Powered-By: PHP/'],
    version: /PHP\/(\d+\.\d+\.\d+(?:(?:alpha|beta|RC)\d+)?)/,
    name: 'php-cli',
    cpe: ['php', 'php'],
    supplier: 'The PHP Group',
  },
  {
    file: /^php-fpm(?:\d+(?:\.\d+)*)?$/,
    anchors: ['X-Powered-By: PHP/'],
    version: /PHP\/(\d+\.\d+\.\d+(?:(?:alpha|beta|RC)\d+)?)/,
    name: 'php-fpm',
    cpe: ['php', 'php'],
    supplier: 'The PHP Group',
  },
  {
    file: /^libphp[\d.]*\.so$/,
    anchors: ['X-Powered-By: PHP/'],
    version: /PHP\/(\d+\.\d+\.\d+(?:(?:alpha|beta|RC)\d+)?)/,
    name: 'libphp',
    cpe: ['php', 'php'],
    supplier: 'The PHP Group',
  },
  {
    file: /^httpd$/,
    anchors: ['Apache/'],
    version: /Apache\/(\d+\.\d+\.\d+)/,
    name: 'httpd',
    cpe: ['apache', 'http_server'],
    supplier: 'The Apache Software Foundation',
  },
  {
    file: /^traefik$/,
    // The linker's `-X` leaves the version as a text of its own; Go's other texts have no NUL around them.
    anchors: ['\x003.', '\x002.', '\0v3.', '\0v2.'],
    version: /\0v?([23]\.\d+\.\d+(?:-(?:ea|alpha|beta|rc)\.?\d+)?)\0/,
    name: 'traefik',
    cpe: ['traefik', 'traefik'],
    supplier: 'Traefik Labs',
  },
  {
    file: /^envoy$/,
    anchors: ['\x001.'],
    version:
      /\0(1\.[1-9]\d\.\d{1,2}(?:-dev)?)\0(?=[\s\S]{0,200}(?:envoy|RELEASE|Unable to|TLS |ValidationError))/,
    name: 'envoy',
    cpe: ['envoyproxy', 'envoy'],
    supplier: 'Envoy Proxy Authors',
  },
  {
    file: /^go$/,
    anchors: ['go1.'],
    version: /go(1\.\d{1,2}(?:\.\d+|(?:rc|beta)\d+)?)\0/,
    name: 'go',
    cpe: ['golang', 'go'],
    supplier: 'The Go Authors',
  },
  {
    file: /^busybox$/,
    anchors: ['BusyBox v'],
    version: /BusyBox v(\d+\.\d+\.\d+)/,
    name: 'busybox',
    cpe: ['busybox', 'busybox'],
    supplier: 'BusyBox',
  },
  {
    file: /^bash$/,
    anchors: ['@(#)Bash version '],
    version: /Bash version (\d+\.\d+\.\d+)\(/,
    name: 'bash',
    cpe: ['gnu', 'bash'],
    supplier: 'GNU Project',
  },
  {
    file: /^openssl$/,
    anchors: ['\0OpenSSL '],
    version: /\0OpenSSL (\d+\.\d+\.\d+(?:[a-z]{1,2}|-(?:alpha|beta)\d+)?)(?=[ \0])(?! \(compatible)/,
    name: 'openssl',
    cpe: ['openssl', 'openssl'],
    supplier: 'OpenSSL Foundation',
  },
  {
    file: /^curl$/,
    anchors: ['curl/'],
    version: /curl\/(\d+\.\d+\.\d+)/,
    name: 'curl',
    cpe: ['haxx', 'curl'],
    supplier: 'curl',
  },
  {
    file: /^haproxy$/,
    anchors: ['HAProxy version ', 'HA-Proxy version ', ', released 20'],
    version: /version (\d+\.\d+(?:\.|-dev|-rc)\d+)/,
    name: 'haproxy',
    cpe: ['haproxy', 'haproxy'],
    supplier: 'HAProxy',
  },
  {
    file: /^perl$/,
    anchors: ['/lib/perl5/'],
    version: /\/usr\/local\/lib\/perl5\/(\d+\.\d+\.\d+)/,
    name: 'perl',
    cpe: ['perl', 'perl'],
    supplier: 'The Perl Foundation',
  },
  {
    file: /^(?:ruby|libruby\.so(?:\.[\d.]+)?)$/,
    anchors: ['ruby 1', 'ruby 2', 'ruby 3', 'ruby 4'],
    version: /ruby (\d+\.\d+\.\d+(?:(?:p|preview|rc|dev)\d*)?) \(\d{4}-/,
    name: 'ruby',
    cpe: ['ruby-lang', 'ruby'],
    supplier: 'Ruby',
  },
  {
    file: /^memcached$/,
    anchors: ['memcached '],
    version: /memcached (\d+\.\d+\.\d+)/,
    name: 'memcached',
    cpe: ['memcached', 'memcached'],
    supplier: 'Memcached',
  },
  {
    file: /^mysqld$/,
    anchors: ['/mysql-'],
    version: /\/mysql-(\d+\.\d+\.\d+(?:-rc)?)\//,
    name: 'mysql-server',
    cpe: ['oracle', 'mysql_server'],
    supplier: 'Oracle',
  },
  {
    file: /^(?:mariadbd?|mysqld?)$/,
    anchors: ['-MariaDB'],
    version: /(\d+\.\d+\.\d+)-MariaDB/,
    name: 'mariadb',
    cpe: ['mariadb', 'mariadb'],
    supplier: 'MariaDB Foundation',
  },
  {
    file: /^mongod$/,
    anchors: ['\0tcmalloc', '\0heap_size', '\0cppdefines'],
    version: /(\d+\.\d+\.\d+)\0+(?:tcmalloc|heap_size|cppdefines)/,
    name: 'mongodb',
    cpe: ['mongodb', 'mongodb'],
    supplier: 'MongoDB',
  },
  {
    file: /^(?:erlexec|beam\.smp)$/,
    anchors: ['/otp_src_', '/src/otp-', '\0Erlang/OTP '],
    version:
      /\/src\/otp(?:_src_|-)(\d+(?:\.\d+){1,3}(?:-rc\d)?)\/erts\/|\0Erlang\/OTP \d[^\0]{1,200}\0+(\d+(?:\.\d+){1,3}(?:-rc\d)?)\0/,
    name: 'erlang',
    cpe: ['erlang', 'erlang\\/otp'],
    supplier: 'Ericsson',
  },
  {
    file: /^deno$/,
    anchors: ['Deno/'],
    version: /Deno\/(\d+\.\d+\.\d+)/,
    name: 'deno',
    cpe: ['deno', 'deno'],
    supplier: 'Deno Land',
  },
  {
    file: /^bun$/,
    anchors: ['Bun v', 'bun v', 'Bun/'],
    version: /[Bb]un(?: v|\/)(\d+\.\d+\.\d+)/,
    name: 'bun',
    cpe: ['oven-sh', 'bun'],
    supplier: 'Oven',
  },
  {
    file: /^lighttpd$/,
    anchors: ['\0lighttpd/'],
    version: /\0lighttpd\/(\d+\.\d+\.\d+)\0/,
    name: 'lighttpd',
    cpe: ['lighttpd', 'lighttpd'],
    supplier: 'lighttpd',
  },
  {
    file: /^fluent-bit$/,
    anchors: ['Fluent Bit'],
    version: /\0(\d+\.\d+\.\d+)\0+(?:[^\0]{4}\0)?(?:%s)?Fluent Bit/,
    name: 'fluent-bit',
    cpe: ['treasuredata', 'fluent_bit'],
    supplier: 'Fluent Bit Authors',
  },
  {
    // Each of its libraries has the text; wheels add a hash to their names.
    file: /^(?:ffmpeg|ffprobe|libav(?:codec|device|filter|format|util)(?:-[\da-f]{8})?\.so(?:\.[\d.]+)?)$/,
    anchors: ['FFmpeg version '],
    version: /FFmpeg version n?(\d+\.\d+(?:\.\d+)?)/,
    name: 'ffmpeg',
    cpe: ['ffmpeg', 'ffmpeg'],
    supplier: 'FFmpeg',
  },
  {
    file: /^libstd-[0-9a-f]{16}\.so$/,
    anchors: ['rustc version '],
    version: /rustc version (\d+\.\d+\.\d+)/,
    name: 'rust',
    cpe: ['rust-lang', 'rust'],
    supplier: 'Rust Foundation',
  },
];
