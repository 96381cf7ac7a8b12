/** Artifacts' names, or their beginnings up to a `*`, with the Maven group they are published under (Maven Central). */
const groups: Readonly<Record<string, readonly string[]>> = {
  'com.esotericsoftware': ['kryo', 'kryo5', 'minlog', 'reflectasm'],
  'com.google.code.findbugs': ['jsr305', 'findbugs-annotations'],
  'com.google.code.gson': ['gson'],
  'com.google.errorprone': ['error_prone_annotations'],
  'com.google.guava': ['guava', 'failureaccess', 'listenablefuture'],
  'com.google.inject': ['guice'],
  'com.google.j2objc': ['j2objc-annotations'],
  'com.google.protobuf': ['protobuf-java', 'protobuf-java-util', 'protobuf-javalite'],
  'com.h2database': ['h2'],
  'com.mysql': ['mysql-connector-j'],
  'com.oracle.database.jdbc': ['ojdbc8', 'ojdbc10', 'ojdbc11', 'ucp'],
  'com.squareup.okhttp3': ['okhttp', 'logging-interceptor'],
  'com.squareup.okio': ['okio', 'okio-jvm'],
  'com.squareup.retrofit2': ['retrofit'],
  'com.typesafe.akka': ['akka-*'],
  'io.grpc': ['grpc-*'],
  'io.jsonwebtoken': ['jjwt*'],
  'io.lettuce': ['lettuce-core'],
  'io.micrometer': ['micrometer-*'],
  'io.opentelemetry': [
    'opentelemetry-api',
    'opentelemetry-context',
    'opentelemetry-sdk*',
    'opentelemetry-exporter-*',
  ],
  'io.projectreactor': ['reactor-core', 'reactor-test'],
  'io.projectreactor.netty': ['reactor-netty*'],
  'io.prometheus': ['simpleclient*', 'prometheus-metrics-*'],
  'jakarta.servlet': ['jakarta.servlet-api'],
  'javax.inject': ['javax.inject'],
  'net.java.dev.jna': ['jna', 'jna-platform'],
  'org.antlr': ['antlr-runtime', 'antlr4-runtime', 'ST4'],
  'org.apache.ant': ['ant', 'ant-*'],
  'org.apache.groovy': ['groovy', 'groovy-*'],
  'org.apache.hadoop': ['hadoop-*'],
  'org.apache.hadoop.thirdparty': ['hadoop-shaded-*'],
  'org.apache.kafka': ['kafka-clients', 'kafka-*', 'connect-*'],
  'org.apache.lucene': ['lucene-*'],
  'org.apache.tomcat': [
    'tomcat-annotations-api',
    'tomcat-catalina*',
    'tomcat-coyote*',
    'tomcat-jdbc',
    'tomcat-juli',
    'tomcat-*',
  ],
  'org.apache.tomcat.embed': ['tomcat-embed-*'],
  'org.apache.thrift': ['libfb303'],
  'org.aspectj': ['aspectjrt', 'aspectjtools', 'aspectjweaver'],
  'org.bouncycastle': ['bcprov-*', 'bcpkix-*', 'bcutil-*', 'bcpg-*', 'bcmail-*', 'bctls-*', 'bc-fips'],
  'org.checkerframework': ['checker-qual', 'checker-compat-qual'],
  'org.elasticsearch': ['elasticsearch', 'elasticsearch-*'],
  'org.flywaydb': ['flyway-*'],
  'org.hamcrest': ['hamcrest', 'hamcrest-*'],
  'org.hibernate.common': ['hibernate-commons-annotations'],
  'org.hibernate.orm': ['hibernate-core'],
  'org.jetbrains': ['annotations'],
  'org.jetbrains.kotlin': ['kotlin-*'],
  'org.jetbrains.kotlinx': ['kotlinx-*'],
  'org.junit.jupiter': ['junit-jupiter*'],
  'org.junit.platform': ['junit-platform-*'],
  'org.liquibase': ['liquibase-core'],
  'org.lz4': ['lz4-java', 'lz4-pure-java'],
  'org.mockito': ['mockito-*'],
  'org.objenesis': ['objenesis'],
  'org.postgresql': ['postgresql'],
  'org.scala-lang': ['scala-library', 'scala-reflect', 'scala-compiler'],
  'org.scala-lang.modules': [
    'scala-xml_*',
    'scala-parser-combinators_*',
    'scala-java8-compat_*',
    'scala-collection-compat_*',
  ],
  'org.springframework': ['spring-*'],
  'org.springframework.amqp': ['spring-amqp', 'spring-rabbit*'],
  'org.springframework.batch': ['spring-batch-*'],
  'org.springframework.boot': ['spring-boot', 'spring-boot-*'],
  'org.springframework.cloud': ['spring-cloud-*'],
  'org.springframework.data': ['spring-data-*'],
  'org.springframework.integration': ['spring-integration-*'],
  'org.springframework.kafka': ['spring-kafka', 'spring-kafka-*'],
  'org.springframework.retry': ['spring-retry'],
  'org.springframework.security': ['spring-security-*'],
  'org.springframework.session': ['spring-session-*'],
  'org.springframework.ws': ['spring-ws-*', 'spring-xml'],
  'org.yaml': ['snakeyaml'],
  oro: ['oro'],
  'redis.clients': ['jedis'],
  stax: ['stax-api'],
};

/** Groups that a project has left: artifact pattern, first major version of the new group, and the old group. */
const formerGroups: Readonly<Record<string, readonly [major: number, group: string]>> = {
  'hibernate-core': [6, 'org.hibernate'],
  'org.apache.groovy': [4, 'org.codehaus.groovy'],
};

/** The Maven group of a widespread artifact whose archive does not tell it; undefined for all others. */
export function wellKnownGroup(artifact: string, version: string | undefined): string | undefined {
  let best: { group: string; length: number } | undefined;
  for (const [group, patterns] of Object.entries(groups)) {
    for (const pattern of patterns) {
      const length = matchLength(pattern, artifact);
      if (length > (best?.length ?? 0)) best = { group, length };
    }
  }
  if (best === undefined) return undefined;
  const former = formerGroups[artifact] ?? formerGroups[best.group];
  return former !== undefined && Number.parseInt(version ?? '', 10) < former[0] ? former[1] : best.group;
}

/** How much of the artifact a pattern fixes; 0 if it does not match. A full name beats every beginning. */
function matchLength(pattern: string, artifact: string): number {
  if (pattern === artifact) return Number.POSITIVE_INFINITY;
  return pattern.endsWith('*') && artifact.startsWith(pattern.slice(0, -1)) ? pattern.length : 0;
}
