// The alert rules: on findings, on the app's own failures and on the way of the findings into the workspace.
// What each rule looks for stands in ../queries/alerts, which tests hold against the findings' table.
targetScope = 'resourceGroup'

@description('Region of the workspace.')
param location string

@description('Tags of every rule.')
param tags object

@description('What the names of the rules begin with.')
param prefix string

@description('Resource id of the workspace that holds the findings.')
param workspaceId string

@description('Resource ids of the action groups to tell.')
param actionGroupIds string[]

@description('Resource id of the user-assigned identity that asks the workspace; it needs Log Analytics Reader there.')
param identityId string

@description('Resource id of the Application Insights component that the function app writes to.')
param appInsightsId string

@description('Resource id of the data collection rule that takes the findings.')
param dcrId string

@description('Resource id of the custom topic for immediate alerts; empty if there is none.')
param alertTopicId string

@description('Whether the rules are on.')
param enabled bool

@description('Names of single rules that stay off, without the prefix: run-partial, token-expiring, ...')
param rulesSwitchedOff string[] = []

@description('How many days before a token or secret expires its rule fires. EXPIRY_WARNING_DAYS is the most that can be had.')
@minValue(1)
@maxValue(365)
param expiryAlertDays int = 14

@description('How long no heartbeat may come before the monitor counts as silent: a multiple of what SWEEP_SCHEDULE says.')
@allowed(['PT30M', 'PT1H', 'PT2H', 'PT6H', 'P1D'])
param silentAfter string = 'PT1H'

// What an alert is about. One alert for each combination, and nothing in it changes while the condition lasts.
var aboutCondition = ['RegistryName', 'Direction', 'PipelineName', 'Rule', 'Subject']

// The engine looks back two days at most. The sweep writes each open condition at least once a day, so the newest
// row of every one lies within, and a condition that is resolved ends its alert.
var rulesOnFindings = [
  {
    name: 'run-failed'
    title: 'ACR Transfer: run failed'
    text: 'A transfer run failed or hangs; Rule names the cause and Subject what it is about. Do now: open the query results linked in this alert, run FixCommand of the row (Recommendation says what it changes), start the transfer again, check with VerifyCommand. HelpUri explains the rule. The alert ends when the cause is gone or a later run succeeds.'
    severity: 1
    frequency: 'PT5M'
    query: loadTextContent('../queries/alerts/run-failed.kql')
    dimensions: aboutCondition
  }
  {
    name: 'run-partial'
    title: 'ACR Transfer: run succeeded without some artifacts'
    text: 'A transfer run says that it succeeded, but some artifacts that were asked for did not arrive; Subject is the run. Do now: open the query results linked in this alert, read in Summary which artifacts are missing, follow Recommendation, and transfer those artifacts again. The alert ends when a later run of the pipeline succeeds.'
    severity: 2
    frequency: 'PT15M'
    query: loadTextContent('../queries/alerts/run-partial.kql')
    dimensions: aboutCondition
  }
  {
    name: 'prerequisite-unmet'
    title: 'ACR Transfer: a prerequisite is not met'
    text: 'No run has failed on it yet, but the next transfer will: Rule names what is wrong with the pipeline, credential, storage account or blob in Subject. Do now: open the query results linked in this alert, run FixCommand of the row (Recommendation says what it changes), check with VerifyCommand. The alert ends when a later look finds it repaired.'
    severity: 2
    frequency: 'PT15M'
    query: loadTextContent('../queries/alerts/prerequisite-unmet.kql')
    dimensions: aboutCondition
  }
  {
    name: 'blob-not-imported'
    title: 'ACR Transfer: blob not imported'
    text: 'The blob in Subject meets every prerequisite, and still no run has imported it within the grace. Do now: open the query results linked in this alert; FixCommand of the row imports the blob by hand. If every blob of the container waits, the source trigger stands still: Recommendation says how to start it anew. The alert ends when the blob is imported or gone.'
    severity: 2
    frequency: 'PT15M'
    query: loadTextContent('../queries/alerts/blob-not-imported.kql')
    dimensions: aboutCondition
  }
  {
    name: 'token-expiring'
    title: 'ACR Transfer: token expires soon'
    text: 'The token or secret in Subject (vault/secret) expires soon; the value is the days that are left, and then every transfer of the pipeline fails. Do now: open the query results linked in this alert and run FixCommand of the row, which signs a new token and stores it as a new version of the secret. The alert ends when the monitor sees the new expiry date, within about an hour.'
    severity: 2
    frequency: 'PT1H'
    query: loadTextContent('../queries/alerts/token-expiring.kql')
    dimensions: aboutCondition
    measure: 'DaysLeft'
    aggregation: 'Minimum'
    operator: 'LessThanOrEqual'
    threshold: expiryAlertDays
  }
  {
    name: 'cannot-check'
    title: 'ACR Transfer Monitor: something cannot be checked'
    text: 'The monitor itself lacks a right or a network path (Right on Target), so some checks are left open: silence about them is no health. Do now: open the query results linked in this alert and run FixCommand of the row, or hand it to whoever owns Target. A new role takes up to half an hour to spread. The alert ends when a later look is not kept from it.'
    severity: 3
    frequency: 'PT30M'
    query: loadTextContent('../queries/alerts/cannot-check.kql')
    dimensions: ['Rule', 'Target', 'Right']
  }
]

// These count what happened within their window.
var rulesOnOperation = [
  {
    name: 'monitor-silent'
    title: 'ACR Transfer Monitor: no heartbeat'
    text: 'The sweep has written no heartbeat for a while, so nothing is watched, and no other alert can be relied on. Do now: see whether the function app runs and whether its function sweep fails (Invocations and Log stream in the portal), then run acrtm doctor, which names the setting, right or path that is missing. What happened meanwhile is caught up by the next sweep.'
    severity: 1
    frequency: 'PT15M'
    window: silentAfter
    query: loadTextContent('../queries/alerts/monitor-silent.kql')
    dimensions: []
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'function-failing'
    title: 'ACR Transfer Monitor: a function keeps failing'
    text: 'The function in Function has failed more than twice in half an hour: it could not read a run or store what it found. Nothing is lost yet, since Event Grid delivers again for a day. Do now: open the query results linked in this alert and read the exception of an OperationId in Application Insights, then run acrtm doctor, which names the setting, right or path that is missing.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    query: replace(loadTextContent('../queries/alerts/function-failing.kql'), '__APP_INSIGHTS_ID__', appInsightsId)
    dimensions: ['Function']
    threshold: 2
  }
  {
    name: 'ingestion-errors'
    title: 'ACR Transfer Monitor: findings are refused'
    text: 'The data collection rule has refused or could not transform findings, so the table lacks them. Do now: open the query results linked in this alert and read Message. Ingestion and 403: the app lacks Monitoring Metrics Publisher on the rule. Transformation or unknown columns: rule and table are of another version than the app, deploy both again.'
    severity: 3
    frequency: 'PT15M'
    window: 'PT30M'
    query: replace(loadTextContent('../queries/alerts/ingestion-errors.kql'), '__DCR_ID__', dcrId)
    dimensions: ['Operation']
  }
]

resource findingAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in concat(rulesOnFindings, rulesOnOperation): {
  name: '${prefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    displayName: rule.title
    description: rule.text
    severity: rule.severity
    enabled: enabled && !contains(rulesSwitchedOff, rule.name)
    scopes: [workspaceId]
    evaluationFrequency: rule.frequency
    windowSize: rule.?window ?? 'P2D'
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: rule.?aggregation ?? 'Count'
          metricMeasureColumn: rule.?measure
          dimensions: map(rule.dimensions, column => {
            name: column
            operator: 'Include'
            values: ['*']
          })
          operator: rule.?operator ?? 'GreaterThan'
          threshold: rule.?threshold ?? 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    // A new table answers queries only after its first rows, and that must not stop the deployment.
    skipQueryValidation: true
    actions: {
      actionGroups: actionGroupIds
      // For webhooks and Logic Apps; e-mails carry the description and the link anyway.
      customProperties: {
        whatToDo: rule.text
        findings: '\${data.alertContext.condition.allOf[0].linkToFilteredSearchResultsUI}'
      }
    }
  }
}]

module rowsDropped 'metric-alert.bicep' = {
  name: 'rows-dropped-${uniqueString(prefix)}'
  params: {
    tags: tags
    name: '${prefix}-rows-dropped'
    text: 'The data collection rule has dropped findings on their way into the table. Do now: see DCRLogErrors in the workspace for the reason; most often rule and table are of another version than the app, so deploy both again.'
    severity: 3
    enabled: enabled && !contains(rulesSwitchedOff, 'rows-dropped')
    targetId: dcrId
    metricNamespace: 'Microsoft.Insights/datacollectionrules'
    metricName: 'RowsDropped_Count'
    dimension: 'InputStreamId'
    actionGroupIds: actionGroupIds
  }
}

module alertsUndelivered 'metric-alert.bicep' = [for metric in ['DroppedEventCount', 'DeadLetteredCount']: if (!empty(alertTopicId)) {
  name: 'alert-topic-${metric}-${uniqueString(prefix)}'
  params: {
    tags: tags
    name: '${prefix}-alert-topic-${metric}'
    text: 'Alerts that the monitor published on its topic did not reach a subscriber (EventSubscriptionName). Do now: see the subscription in the portal for the last delivery error, and repair its endpoint. The findings themselves are in the workspace.'
    severity: 2
    enabled: enabled && !contains(rulesSwitchedOff, 'alert-topic')
    targetId: alertTopicId
    metricNamespace: 'Microsoft.EventGrid/topics'
    metricName: metric
    dimension: 'EventSubscriptionName'
    actionGroupIds: actionGroupIds
  }
}]

var group = resourceGroup().id

// A rule whose query fails for a week is switched off by Azure Monitor, and that leaves this trace only.
resource ruleSwitchedOff 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: '${prefix}-rule-switched-off'
  location: 'global'
  tags: tags
  properties: {
    description: 'Azure Monitor or somebody has switched off an alert rule of the ACR Transfer Monitor. Do now: open the rule and see its resource health; most often its identity lacks Log Analytics Reader on the workspace, or the table is gone. Repair that and switch the rule on again.'
    enabled: enabled && !contains(rulesSwitchedOff, 'rule-switched-off')
    scopes: [group]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'Administrative'
        }
        {
          field: 'operationName'
          equals: 'Microsoft.Insights/ScheduledQueryRules/disable/action'
        }
      ]
    }
    actions: {
      actionGroups: map(actionGroupIds, id => {
        actionGroupId: id
      })
    }
  }
}
