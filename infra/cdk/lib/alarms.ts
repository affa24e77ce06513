// Alarms of an authorizer: on what keeps it from deciding. What it refuses is counted with what the
// platform refuses, whose alarms tell of bursts (authorizer-function.ts).
import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

/**
 * Its alarms, when there are actions for them. Lambda's own count of errors is of no use: each 401
 * is an error to it.
 */
export function alarmsOf(
  scope: Construct,
  authorizer: lambda.IFunction,
  logGroup: logs.CfnLogGroup,
  actions: readonly cloudwatch.IAlarmAction[] | undefined,
): cloudwatch.Alarm[] {
  if (actions === undefined) {
    return [];
  }
  const metricName = `${scope.node.addr.slice(0, 8)}Unavailable`;
  new logs.CfnMetricFilter(scope, 'Unavailable', {
    logGroupName: logGroup.ref,
    filterPattern: '{ $.outcome = "unavailable" }',
    metricTransformations: [
      { metricNamespace: 'Latchkey', metricName, metricValue: '1', defaultValue: 0, unit: 'Count' },
    ],
  });
  const unavailable = new cloudwatch.Metric({
    namespace: 'Latchkey',
    metricName,
    statistic: 'Sum',
    period: Duration.minutes(1),
  });
  const alarm = (
    id: string,
    metric: cloudwatch.IMetric,
    threshold: number,
    alarmDescription: string,
  ): cloudwatch.Alarm => {
    const made = new cloudwatch.Alarm(scope, id, {
      metric,
      threshold,
      alarmDescription,
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    made.addAlarmAction(...actions);
    return made;
  };
  const period = Duration.minutes(1);
  return [
    alarm(
      'UnavailableAlarm',
      unavailable,
      1,
      'The authorizer cannot read what it decides by, and answers 503.',
    ),
    alarm(
      'ThrottleAlarm',
      authorizer.metricThrottles({ period }),
      1,
      'The authorizer has no concurrency left: calls are answered with 503.',
    ),
    // It has five seconds, and gives up reading the feed by itself after some two.
    alarm(
      'LatencyAlarm',
      authorizer.metricDuration({ period, statistic: 'p99' }),
      2000,
      'One call of a hundred waits two seconds for its authorizer.',
    ),
  ];
}
